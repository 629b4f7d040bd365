import { beforeAll, describe, expect, test } from "vitest";
import type { TestContext } from "vitest";
import type { GpuDevice } from "../../src/gpu/device.ts";
import { runCase } from "../../src/kernels/testing/run-case.ts";
import type { KernelSuite } from "../../src/kernels/testing/suite.ts";
import { requestTestDevice } from "./gpu.ts";

/** For thousands of millions of multiplications on a CPU. */
const HEAVY_MS = 1_800_000;

/** Set for adapters that differ from another in subgroup size alone. */
const onlySubgroups = process.env["TETRAD_TEST_ONLY"] === "subgroups";

const heavyToo = process.env["TETRAD_HEAVY"] === "1";

/** lavapipe compiles a large kernel in seconds, SwiftShader in a tenth of one. */
const withoutSweeps = !heavyToo && process.env["TETRAD_TEST_ADAPTER"]?.startsWith("lavapipe");

/** Draws the samples of large outputs again as a failure reported them. */
const seed = process.env["TETRAD_TEST_SEED"];
const options = {
  onlySubgroups,
  brief: onlySubgroups && !heavyToo,
  everyCandidate: heavyToo,
  ...(heavyToo ? { largeTiles: true } : {}),
  ...(seed === undefined ? {} : { seed: Number(seed) }),
};

/**
 * Runs a kernel suite on the adapter under test; heavy cases, and sweeps on lavapipe, only with
 * `TETRAD_HEAVY=1`.
 */
export function testKernelSuite(suite: KernelSuite): void {
  describe(suite.operator, () => {
    let gpu: GpuDevice;
    beforeAll(async () => {
      gpu = await requestTestDevice();
    });
    for (const kernelCase of suite.cases) {
      const isHeavy = kernelCase.heavy !== undefined;
      if (isHeavy && !heavyToo) continue;
      if (kernelCase.sweep === true && withoutSweeps) continue;
      const run = async ({ skip }: TestContext) => {
        skip(kernelCase.runnable?.(gpu.capabilities) === false, "more than the device has to have");
        const results = await runCase(gpu, suite.operator, kernelCase, options);
        if (!onlySubgroups) expect(results.length).toBeGreaterThan(0);
        for (const { variant, route, failure } of results) {
          expect(failure, `${variant}, route ${route}`).toBe("");
        }
      };
      test(kernelCase.name, isHeavy ? { timeout: HEAVY_MS } : {}, run);
    }
  });
}
