import { describe, expect, test } from "vitest";
import { restrictCapabilities } from "../../gpu/capabilities.ts";
import type { Capabilities } from "../../gpu/capabilities.ts";
import { workgroupSize } from "../../gpu/workgroup-size.ts";
import { linearQ4gsw } from "./linear-q4gsw.ts";
import type { LinearQ4gswShape } from "./linear-q4gsw.ts";

const MATRIX = { componentType: "f16", resultComponentType: "f32", M: 16, N: 16, K: 16 } as const;

const GPU: Capabilities = {
  f16: true,
  subgroups: { minSize: 32, maxSize: 32 },
  integerDot: true,
  subgroupMatrices: [MATRIX],
  timestamps: true,
  software: false,
  limits: {
    maxBufferSize: 2 ** 31,
    maxStorageBufferBindingSize: 2 ** 31,
    maxStorageBuffersPerShaderStage: 8,
    maxComputeWorkgroupStorageSize: 49_152,
    maxComputeInvocationsPerWorkgroup: 1024,
    maxComputeWorkgroupSizeX: 1024,
    maxComputeWorkgroupSizeY: 1024,
    maxComputeWorkgroupsPerDimension: 65_535,
    minStorageBufferOffsetAlignment: 256,
    minUniformBufferOffsetAlignment: 256,
  },
  adapter: { vendor: "", architecture: "", device: "", description: "" },
};

const SHAPE: LinearQ4gswShape = {
  N: 8192,
  K: 2048,
  groupSize: 32,
  scaleType: "f16",
  hasBias: false,
  rows: "many",
  maxM: 512,
};

const nameFor = (shape: Partial<LinearQ4gswShape>, capabilities = GPU): string =>
  linearQ4gsw({ ...SHAPE, ...shape }, capabilities).name;

/** Label, workgroups and lanes of what a run with M live rows dispatches. */
const dispatched = (M: number, shape: Partial<LinearQ4gswShape> = {}, capabilities = GPU) =>
  linearQ4gsw({ ...SHAPE, ...shape }, capabilities)
    .dispatches.filter(({ grid }) => grid({ M })[0] > 0)
    .map(({ kernel, grid }) => [kernel.label, grid({ M })[0], workgroupSize(kernel)[0]]);

describe("linear_q4gsw on subgroup matrices", () => {
  test("is chosen where device and shape allow", () => {
    expect(nameFor({})).toBe("gemm_subgroup_matrix");
    expect(nameFor({ groupSize: 16 })).toBe("gemm_subgroup_matrix");
    expect(nameFor({ groupSize: 8 })).toBe("gemm_tiled_64");
    expect(nameFor({ K: 2064, groupSize: 16 })).toBe("gemm_tiled_64");
    expect(nameFor({ maxM: 32 })).toBe("gemm_tiled_32");
    expect(nameFor({ N: 256 })).toBe("gemm_subgroup_matrix");
    expect(nameFor({ N: 255 })).toBe("gemm_tiled_32");
  });

  test("is not chosen without what it needs", () => {
    const f32 = "gemm_tiled_64";
    expect(nameFor({}, restrictCapabilities(GPU, { subgroupMatrices: false }))).toBe(f32);
    expect(nameFor({}, restrictCapabilities(GPU, { f16: false }))).toBe(f32);
    expect(nameFor({}, restrictCapabilities(GPU, { subgroups: false }))).toBe(f32);
    expect(nameFor({}, { ...GPU, subgroups: { minSize: 16, maxSize: 32 } })).toBe(f32);
    expect(nameFor({}, { ...GPU, subgroups: { minSize: 64, maxSize: 64 } })).toBe(f32);
    expect(nameFor({}, { ...GPU, subgroupMatrices: [{ ...MATRIX, N: 8 }] })).toBe(f32);
    const sums = { ...MATRIX, resultComponentType: "f16" };
    expect(nameFor({}, { ...GPU, subgroupMatrices: [sums] })).toBe(f32);
  });

  test("each run dispatches one kernel: f32 for few rows, then small or large tiles", () => {
    const label = "linear_q4gsw_gemm_subgroup_matrix";
    expect(dispatched(1)).toEqual([["linear_q4gsw_gemm_tiled_32", 256, 64]]);
    expect(dispatched(32)).toEqual([["linear_q4gsw_gemm_tiled_32", 256, 64]]);
    expect(dispatched(33)).toEqual([[`${label}_64`, 128, 128]]);
    expect(dispatched(128)).toEqual([[`${label}_64`, 256, 128]]);
    expect(dispatched(129)).toEqual([[`${label}_128`, 128, 256]]);
    expect(dispatched(512)).toEqual([[`${label}_128`, 256, 256]]);
    expect(dispatched(512, { N: 2048 })).toEqual([[`${label}_64`, 256, 128]]);
  });

  test("keeps within the device's workgroups", () => {
    const label = "linear_q4gsw_gemm_subgroup_matrix_64";
    const limited = (limits: Partial<Capabilities["limits"]>) =>
      dispatched(512, {}, restrictCapabilities(GPU, { limits }));
    expect(limited({ maxComputeInvocationsPerWorkgroup: 128 })).toEqual([[label, 1024, 128]]);
    expect(limited({ maxComputeWorkgroupStorageSize: 16_384 })).toEqual([[label, 1024, 128]]);
    expect(limited({ maxComputeInvocationsPerWorkgroup: 64 })[0]?.[0]).toContain("gemm_tiled_32");
  });
});
