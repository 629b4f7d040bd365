import { beforeAll, describe, expect, test } from "vitest";
import { requestTestDevice } from "../../../tests/support/gpu.ts";
import { testKernelSuite } from "../../../tests/support/kernel-suite.ts";
import type { GpuDevice } from "../../gpu/device.ts";
import { compare } from "../testing/compare.ts";
import { ramp } from "../testing/data.ts";
import { runRoute } from "../testing/run-route.ts";
import { updateCacheReference } from "./update-cache.reference.ts";
import { updateCacheSuite } from "./update-cache.suite.ts";
import { updateCache } from "./update-cache.ts";

testKernelSuite(updateCacheSuite);

/** One route, run step after step over one cache. */
describe("update_cache replay", () => {
  let gpu: GpuDevice;
  beforeAll(async () => {
    gpu = await requestTestDevice();
  });

  const sequences = [
    { name: "seqA", heads: 4, headSize: 4, cacheLength: 16, steps: [3, 1, 1, 5, 1, 1, 2] },
    { name: "seqB", heads: 2, headSize: 8, cacheLength: 16, steps: [3, 1, 1, 5, 1, 1] },
    { name: "llama3", heads: 8, headSize: 128, cacheLength: 256, steps: [111, 1, 1, 1, 57, 1, 1] },
  ];
  test.each(sequences)("$name", async ({ heads, headSize, cacheLength, steps }) => {
    const row = heads * headSize;
    const shape = { heads, headSize, cacheLength, cacheType: "f32" as const };
    const route = updateCache(shape, gpu.capabilities);
    let cache = new Float32Array(cacheLength * row).fill(Number.NaN);
    let position = 0;
    for (const [step, S] of steps.entries()) {
      const value = ramp(S * row, 17, 8, 16).map((entry) => entry + step);
      const expected = updateCacheReference(cache, value, position, row);
      const operands = { value, cache, input_pos: Int32Array.of(position) };
      const results = await runRoute(gpu, route, operands, { S }, ["cache"]);
      cache = new Float32Array(results["cache"] ?? new ArrayBuffer(0));
      const exact = { absolute: 0, relative: 0 };
      expect(compare(cache, expected, exact).report, `step ${step}`).toBe("");
      position += S;
    }
  });
});
