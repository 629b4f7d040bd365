import { expect, test } from "vitest";
import { GPU } from "../../../tests/support/gpu-record.ts";
import { restrictCapabilities } from "../../gpu/capabilities.ts";
import { workgroupSize } from "../../gpu/workgroup-size.ts";
import { linearAddLimbsTunable, projectsToLimbs } from "./row-groups.ts";

const tunable = (K: number, N: number, capabilities = GPU) => {
  const shape = { K, N, groupSize: 32, scaleType: "f16", input: "limbs" } as const;
  return linearAddLimbsTunable(shape, capabilities);
};

const candidateNames = (K: number, N: number): string[] =>
  tunable(K, N).candidates.map(({ name }) => name);

test("a large GPU runs all workgroups at once, and has something to do for all of it", () => {
  expect(candidateNames(8192, 2048)[0]).toBe("outputs16/lanes1024/rows2/step2");
  expect(candidateNames(2048, 2048)[0]).toBe("outputs16/lanes512/rows2/step1");
  expect(candidateNames(2048, 8192)[0]).toBe("outputs32/lanes512/rows2/step2");
  expect(candidateNames(14_336, 4096)[0]).toBe("outputs16/lanes512/rows2/step2");
  expect(candidateNames(4096, 4096)[0]).toBe("outputs16/lanes512/rows2/step2");
  expect(candidateNames(4096, 14_336)[0]).toBe("outputs32/lanes256/rows4/step1");
});

test("every way to share out the lanes is a candidate, and no more than there is time for", () => {
  const names = candidateNames(8192, 2048);
  expect(names).toContain("outputs32/lanes1024/rows4/step2");
  expect(names).toContain("outputs16/lanes512/rows1/step1");
  expect(names.length).toBeLessThan(40);
});

test("keeps within the device's workgroups, whatever their sizes", () => {
  for (const maxComputeWorkgroupSizeX of [128, 256, 384, 768]) {
    const device = restrictCapabilities(GPU, { limits: { maxComputeWorkgroupSizeX } });
    const lanes = tunable(8192, 2048, device).candidates.flatMap(({ route }) =>
      route().dispatches.map(({ kernel }) => workgroupSize(kernel)[0]),
    );
    expect(Math.max(...lanes)).toBe(2 ** Math.floor(Math.log2(maxComputeWorkgroupSizeX)));
  }
  const tiny = restrictCapabilities(GPU, { limits: { maxComputeInvocationsPerWorkgroup: 16 } });
  expect(projectsToLimbs({ K: 64, N: 64, groupSize: 32 }, tiny)).toBe(false);
});
