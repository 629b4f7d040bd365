import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { create, globals } from "webgpu";
import { readCapabilities } from "../src/gpu/capabilities.ts";
import type { Capabilities } from "../src/gpu/capabilities.ts";
import type { Route } from "../src/gpu/kernel.ts";
import { linearQ4gsw } from "../src/kernels/linear_q4gsw/linear-q4gsw.ts";
import { qkvHalvesQ4gsw } from "../src/kernels/linear_q4gsw/qkv-halves.ts";
import { swigluHalvesQ4gsw } from "../src/kernels/linear_q4gsw/swiglu-halves.ts";
import { sdpaWithKvCache } from "../src/kernels/sdpa_with_kv_cache/sdpa-with-kv-cache.ts";
import { usesMatrices } from "../src/kernels/testing/emulate-matrices.ts";

/**
 * Software adapters have no subgroup matrices: there kernels on them run emulated. Dawn's null backend
 * has every feature and no GPU: what it checks is that they are valid WGSL as they are.
 */
const gpu = create(["backend=null", "enable-dawn-features=allow_unsafe_apis"]);
// Collecting the instance while anything made from it is alive would crash the process.
(globalThis as { nullGpu?: GPU }).nullGpu = gpu;

const MATRIX = { componentType: "f16", resultComponentType: "f32", M: 16, N: 16, K: 16 } as const;
/** Workgroup memory of GPUs with such matrices, and the least. */
const STORAGE_SIZES = [49_152, 32_768, 16_384];

describe.skipIf(process.env["TETRAD_TEST_ADAPTER"] !== "swiftshader")("subgroup matrices", () => {
  let device: GPUDevice;
  let capabilities: Capabilities;
  beforeAll(async () => {
    Object.assign(globalThis, globals);
    const adapter = await gpu.requestAdapter();
    if (adapter === null) throw new Error("Dawn has no null adapter");
    const features = ["shader-f16", "subgroups", "chromium-experimental-subgroup-matrix"];
    device = await adapter.requestDevice({ requiredFeatures: features as GPUFeatureName[] });
    capabilities = {
      ...readCapabilities(device, adapter.info, gpu.wgslLanguageFeatures),
      software: false,
      subgroups: { minSize: 32, maxSize: 32 },
      subgroupMatrices: [MATRIX],
    };
  });
  afterAll(() => device.destroy());

  /** The messages of every distinct kernel on matrices; at least so many there must be. */
  async function expectValid(
    routes: (capabilities: Capabilities) => readonly Route<never>[],
    atLeast: number,
  ): Promise<void> {
    const sources = new Set<string>();
    for (const maxComputeWorkgroupStorageSize of STORAGE_SIZES) {
      const limits = { ...capabilities.limits, maxComputeWorkgroupStorageSize };
      for (const { dispatches } of routes({ ...capabilities, limits })) {
        const kernels = dispatches.map(({ kernel }) => kernel).filter(usesMatrices);
        for (const { source } of kernels) sources.add(source);
      }
    }
    expect(sources.size).toBeGreaterThanOrEqual(atLeast);
    for (const code of sources) {
      const { messages } = await device.createShaderModule({ code }).getCompilationInfo();
      // Warnings too: Dawn gives them for builtins that will go.
      expect(messages.map(({ message }) => message)).toEqual([]);
    }
  }

  test("the kernels of linear_q4gsw are valid WGSL", async () => {
    const shape = { N: 512, K: 2048, rows: "many", maxM: 8192 } as const;
    await expectValid(
      (available) =>
        (["f16", "f32"] as const).flatMap((scaleType) =>
          [16, 32].map((groupSize) => {
            const hasBias = groupSize === 32;
            const options = { groupSize, scaleType, hasBias, hasResidual: !hasBias };
            return linearQ4gsw({ ...shape, ...options }, available);
          }),
        ),
      12,
    );
  });

  test("the kernels of swiglu_halves_q4gsw are valid WGSL", async () => {
    const shape = { N: 8192, K: 2048, scaleType: "f16", maxM: 8192 } as const;
    await expectValid(
      (available) =>
        [16, 32].map((groupSize) => swigluHalvesQ4gsw({ ...shape, groupSize }, available)),
      6,
    );
  });

  test("the kernels of qkv_halves_q4gsw are valid WGSL", async () => {
    const shape = { rows: [2048, 512, 512], K: 2048, scaleType: "f16", maxM: 8192 } as const;
    await expectValid(
      (available) =>
        [16, 32].map((groupSize) => qkvHalvesQ4gsw({ ...shape, groupSize }, available)),
      8,
    );
  });

  test("the kernels of sdpa_with_kv_cache are valid WGSL", async () => {
    const shape = { heads: 4, kvHeads: 2, cacheLength: 512, scale: 1, maxS: 64 } as const;
    await expectValid(
      (available) =>
        [64, 128, 192, 256].map((headSize) => {
          const options = { headSize, cacheType: "f16", rows: "many" } as const;
          return sdpaWithKvCache({ ...shape, ...options }, available);
        }),
      6,
    );
  });
});
