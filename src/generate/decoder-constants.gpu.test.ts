import { beforeAll, expect, test } from "vitest";
import { requestTestDevice } from "../../tests/support/gpu.ts";
import { randomCheckpoint } from "../bench/random-checkpoint.ts";
import { modelShape } from "../bench/shapes.ts";
import type { GpuDevice } from "../gpu/device.ts";
import { buildModel } from "../models/index.ts";
import { planDecoder } from "./decoder-plans.ts";

let gpu: GpuDevice;
beforeAll(async () => {
  gpu = await requestTestDevice({ restrict: { software: false } });
});

// An executor takes Params from memory where constants make no valid code: here they must.
test("a decoded token's kernels compile with their sizes as constants", async () => {
  const decoder = await buildModel(randomCheckpoint(modelShape("stories-14m")), {
    contextLength: 64,
    maxSequenceLength: 64,
    cacheType: "f16",
  });
  const { dispatches } = planDecoder(decoder, gpu.capabilities).step.greedy;
  const constant = dispatches.filter(({ constantParams }) => constantParams !== undefined);
  // All but attention, its output projection and what samples, whose sizes follow the position.
  expect(constant.length).toBeGreaterThan(0.5 * dispatches.length);
  const compiled = await Promise.all(
    constant.map(({ kernel, constantParams }) =>
      gpu.pipelines.get(kernel, { constants: constantParams }),
    ),
  );
  for (const { bindings } of compiled) {
    expect(bindings.some(({ type }) => type === "uniform")).toBe(false);
  }
});
