import { describe, expect, test } from "vitest";
import { create, globals } from "webgpu";
import { matrixKernel } from "../src/bench/ceilings/arithmetic.ts";
import { readCapabilities } from "../src/gpu/capabilities.ts";
import { linearQ4gsw } from "../src/kernels/linear_q4gsw/linear-q4gsw.ts";

/**
 * No software adapter has subgroup matrices, so kernels on them run on real GPUs alone. Dawn's null
 * backend has every feature and no GPU: what it checks is that they are valid WGSL.
 */
const gpu = create(["backend=null", "enable-dawn-features=allow_unsafe_apis"]);
// Collecting the instance while anything made from it is alive would crash the process.
(globalThis as { nullGpu?: GPU }).nullGpu = gpu;

const MATRIX = { componentType: "f16", resultComponentType: "f32", M: 16, N: 16, K: 16 } as const;

describe.skipIf(process.env["TETRAD_TEST_ADAPTER"] !== "swiftshader")("subgroup matrices", () => {
  test("the kernels on them are valid WGSL", async () => {
    Object.assign(globalThis, globals);
    const adapter = await gpu.requestAdapter();
    if (adapter === null) throw new Error("Dawn has no null adapter");
    const features = ["shader-f16", "subgroups", "chromium-experimental-subgroup-matrix"];
    const device = await adapter.requestDevice({ requiredFeatures: features as GPUFeatureName[] });
    const capabilities = {
      ...readCapabilities(device, adapter.info, gpu.wgslLanguageFeatures),
      software: false,
      subgroups: { minSize: 32, maxSize: 32 },
      subgroupMatrices: [MATRIX],
    };
    const shape = { N: 8192, K: 2048, groupSize: 32, rows: "many", maxM: 512 } as const;
    const sources = new Set<string>();
    for (const scaleType of ["f16", "f32"] as const) {
      for (const hasBias of [false, true]) {
        const more = { scaleType, hasBias, hasResidual: !hasBias };
        const limits = { ...capabilities.limits, maxComputeWorkgroupStorageSize: 49_152 };
        const route = linearQ4gsw({ ...shape, ...more }, { ...capabilities, limits });
        for (const { kernel } of route.dispatches) sources.add(kernel.source);
      }
    }
    for (const [M, N, K] of [
      [16, 16, 16],
      [16, 8, 16],
    ] as const) {
      sources.add(matrixKernel({ ...MATRIX, M, N, K }, 32).source);
    }
    const matrixSources = [...sources].filter((code) => code.includes("subgroup_matrix_left"));
    expect(matrixSources.length).toBe(10);
    for (const code of matrixSources) {
      const { messages } = await device.createShaderModule({ code }).getCompilationInfo();
      // Warnings too: Dawn gives them for builtins that will go.
      expect(messages.map(({ message }) => message)).toEqual([]);
    }
    device.destroy();
  });
});
