import { expect, test } from "vitest";
import { GPU } from "../../../tests/support/gpu-record.ts";
import { linearAddLimbsTunable } from "./row-groups.ts";

const candidateNames = (K: number, N: number): string[] => {
  const shape = { K, N, groupSize: 32, scaleType: "f16", input: "limbs" } as const;
  return linearAddLimbsTunable(shape, GPU).candidates.map(({ name }) => name);
};

test("where workgroups of 32 outputs would be too few, one has 16", () => {
  expect(candidateNames(8192, 2048)[0]).toBe("outputs16/lanes1024/rows2/step2");
  expect(candidateNames(2048, 2048)[0]).toBe("outputs16/lanes512/rows2/step1");
  expect(candidateNames(2048, 8192)[0]).toBe("outputs32/lanes512/rows2/step1");
});

test("every way to share out the lanes is a candidate, and no more than there is time for", () => {
  const names = candidateNames(8192, 2048);
  expect(names).toContain("outputs32/lanes1024/rows4/step2");
  expect(names).toContain("outputs16/lanes512/rows1/step1");
  expect(names.length).toBeLessThan(40);
});
