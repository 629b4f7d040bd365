import { describe, expect, test } from "vitest";
import { restrictCapabilities } from "../../gpu/capabilities.ts";
import type { Capabilities } from "../../gpu/capabilities.ts";
import { workgroupSize } from "../../gpu/workgroup-size.ts";
import { linearQ4gsw } from "./linear-q4gsw.ts";
import type { LinearQ4gswShape } from "./linear-q4gsw.ts";
import { qkvHalvesQ4gsw } from "./qkv-halves.ts";

const MATRIX = { componentType: "f16", resultComponentType: "f32", M: 16, N: 16, K: 16 } as const;

const GPU: Capabilities = {
  f16: true,
  subgroups: { minSize: 32, maxSize: 32 },
  integerDot: true,
  subgroupMatrices: [MATRIX],
  timestamps: true,
  software: false,
  unrolls: true,
  limits: {
    maxBufferSize: 2 ** 31,
    maxStorageBufferBindingSize: 2 ** 31,
    maxStorageBuffersPerShaderStage: 8,
    maxComputeWorkgroupStorageSize: 49_152,
    maxComputeInvocationsPerWorkgroup: 1024,
    maxComputeWorkgroupSizeX: 1024,
    maxComputeWorkgroupSizeY: 1024,
    maxComputeWorkgroupsPerDimension: 65_535,
    maxImmediateSize: 64,
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

/** What a run with M live rows dispatches: labels without the operator's, workgroups and lanes. */
const dispatched = (M: number, shape: Partial<LinearQ4gswShape> = {}, capabilities = GPU) =>
  linearQ4gsw({ ...SHAPE, ...shape }, capabilities)
    .dispatches.filter(({ grid }) => !grid({ M }).includes(0))
    .map(({ kernel, grid }) => [
      kernel.label.replace("linear_q4gsw_", "").replace("gemm_subgroup_matrix_", ""),
      grid({ M }).join(" × "),
      workgroupSize(kernel)[0],
    ]);

/** What prepares M rows of x, of K 2,048, and N rows of weights. */
const prepared = (M: number, N = 8192) => {
  const workgroups = Math.ceil(M / 32) * 32 + (N / 32) * 8;
  return ["prepare_f16", `${workgroups} × 1 × 1`, 256];
};

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

  test("few rows are computed in f32, more are prepared and multiplied in one kind of tile", () => {
    expect(dispatched(1)).toEqual([["gemm_tiled_32", "256 × 1 × 1", 64]]);
    expect(dispatched(32)).toEqual([["gemm_tiled_32", "256 × 1 × 1", 64]]);
    const small = ["small_split", "128 × 1 × 2", 128];
    expect(dispatched(33).slice(0, 2)).toEqual([prepared(33), small]);
    expect(dispatched(64).slice(0, 2)).toEqual([prepared(64), small]);
    expect(dispatched(128, { N: 16_384 })).toEqual([
      prepared(128, 16_384),
      ["few_large", "128 × 1 × 1", 128],
    ]);
    expect(dispatched(512)).toEqual([prepared(512), ["large", "256 × 1 × 1", 128]]);
    expect(dispatched(2048, { maxM: 2048, N: 2048 })).toEqual([
      prepared(2048, 2048),
      ["large", "256 × 1 × 1", 128],
    ]);
  });

  test("workgroups share sums where there are few tiles, if K is long enough", () => {
    const sums = (workgroups: number) => ["sum_splits", `${workgroups} × 1 × 1`, 256];
    expect(dispatched(65)).toEqual([prepared(65), ["large_split", "64 × 1 × 2", 128], sums(2080)]);
    expect(dispatched(512, { N: 2048 })).toEqual([
      prepared(512, 2048),
      ["large_split", "64 × 1 × 2", 128],
      sums(4096),
    ]);
    expect(dispatched(512, { N: 512 })).toEqual([
      prepared(512, 512),
      ["large_split", "16 × 1 × 8", 128],
      sums(1024),
    ]);
    expect(dispatched(64, { N: 512, K: 512 }).slice(1)).toEqual([
      ["small_split", "8 × 1 × 2", 128],
      sums(128),
    ]);
    expect(dispatched(64, { N: 512, K: 480 }).slice(1)).toEqual([["small", "8 × 1 × 1", 128]]);
  });

  test("scratch holds the prepared operands and the parts of sums of the largest runs", () => {
    const scratchOf = (shape: Partial<LinearQ4gswShape>) =>
      linearQ4gsw({ ...SHAPE, ...shape }, GPU).scratch;
    // 64 tiles twice: with more rows no sums are shared.
    expect(scratchOf({ N: 2048, maxM: 2048 })).toEqual({
      x_halves: 2 * 2048 * 2048,
      weight_columns: (2048 * 2048) / 2,
      scale_halves: (2 * 2048 * 2048) / 32,
      parts: 4 * 2 * 512 * 2048,
    });
    expect(scratchOf({ N: 2048, K: 480, groupSize: 16 })).toEqual({
      x_halves: 2 * 512 * 480,
      weight_columns: (2048 * 480) / 2,
      scale_halves: (2 * 2048 * 480) / 16,
    });
  });

  test("what a run touches of scratch is counted, not what the largest run needs", () => {
    const [M, N, K] = [65, 2048, 2048];
    const touched = linearQ4gsw({ ...SHAPE, N, maxM: 2048 }, GPU)
      .dispatches.filter(({ grid }) => !grid({ M }).includes(0))
      .map(({ work }) => work?.({ M }).bytes);
    const parts = 4 * 8 * M * N;
    const [prepare, multiply, sum] = touched;
    expect(touched.length).toBe(3);
    expect(prepare).toEqual({ x_halves: 2 * M * K });
    expect(multiply).toMatchObject({ x_halves: 2 * M * K, parts });
    expect(sum).toMatchObject({ parts, out: 4 * M * N });
  });

  test("sums of q, k and v each take their own columns of the parts", () => {
    const rows = [1024, 256, 256] as const;
    const M = 70;
    const shape = { rows, K: 2048, groupSize: 32, scaleType: "f16", maxM: 512 } as const;
    const sums = qkvHalvesQ4gsw(shape, GPU).dispatches.filter(
      ({ kernel, grid }) => kernel.label.endsWith("sum_splits") && !grid({ M }).includes(0),
    );
    expect(sums.map(({ work }) => work?.({ M }).bytes?.["parts"])).toEqual(
      rows.map((columns) => 4 * 8 * M * columns),
    );
  });

  test("keeps within the device's workgroups", () => {
    const limited = (limits: Partial<Capabilities["limits"]>) =>
      dispatched(512, {}, restrictCapabilities(GPU, { limits })).map(([label]) => label);
    expect(limited({ maxComputeInvocationsPerWorkgroup: 128 })).toEqual(["prepare_f16", "large"]);
    expect(limited({ maxComputeWorkgroupStorageSize: 16_384 })).toEqual(["prepare_f16", "small"]);
    expect(limited({ maxComputeInvocationsPerWorkgroup: 64 })).toEqual(["gemm_tiled_32"]);
  });
});
