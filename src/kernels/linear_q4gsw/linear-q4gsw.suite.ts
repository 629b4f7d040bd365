import { defineSuite } from "../testing/suite.ts";
import {
  fallbackCase,
  gemmCase,
  gemvCase,
  halvesCase,
  MANY_ROWS,
  smallGemmCase,
} from "./linear-q4gsw.cases.ts";
import type { LinearCaseOptions } from "./linear-q4gsw.cases.ts";

const LARGE_WEIGHT = "a weight of over 10 MB";
const HUGE_WEIGHT = "a weight of over 100 MB";
const MANY_PRODUCTS = "thousands of millions of multiplications";

/** ExecuTorch's own rows for this operator, with the f32 scales its files hold. */
function executorchCases() {
  const f32 = (label: string, more: LinearCaseOptions = {}): LinearCaseOptions => ({
    label,
    scaleType: "f32",
    ...more,
  });
  return [
    gemvCase([2048, 2048], f32("q_proj")),
    gemvCase([2048, 512], f32("kv_proj")),
    gemvCase([2048, 8192], f32("gate_proj")),
    gemvCase([8192, 2048], f32("down_proj")),
    gemvCase([2048, 128256], f32("lm_head", { heavy: HUGE_WEIGHT })),
    gemmCase([4096, 2048, 2048], f32("q_proj_4k", { heavy: MANY_PRODUCTS })),
    gemmCase([4096, 2048, 512], f32("kv_proj_4k", { heavy: MANY_PRODUCTS })),
    gemmCase([8192, 2048, 2048], f32("q_proj_8k", { heavy: MANY_PRODUCTS })),
    gemmCase([8192, 2048, 512], f32("kv_proj_8k", { heavy: MANY_PRODUCTS })),
    gemmCase([96, 2048, 256], f32("steel")),
    smallGemmCase([96, 2048, 256], f32("steel")),
    gemmCase([70, 1024, 136], f32("steel_f16_edge")),
    gemmCase([96, 2048, 256], f32("pwdq_gs64", { groupSize: 64 })),
    gemmCase([96, 2048, 256], f32("pwdq_gs8", { groupSize: 8 })),
    gemmCase([128, 2048, 8192], f32("gate_proj_pf", { heavy: MANY_PRODUCTS })),
    gemmCase([128, 8192, 2048], f32("down_proj_pf", { heavy: MANY_PRODUCTS })),
    gemmCase([130, 4096, 2056], f32("shmem_edge", { heavy: MANY_PRODUCTS })),
    smallGemmCase([2, 2048, 2048], f32("q_proj")),
    smallGemmCase([2, 2048, 8192], f32("gate_proj")),
    smallGemmCase([2, 8192, 2048], f32("down_proj")),
    smallGemmCase([2, 4096, 2056], f32("shmem_edge")),
  ];
}

/** [K, N] of the projections of a model's layer, and of its vocabulary. */
const MODELS: Readonly<Record<string, readonly (readonly [K: number, N: number])[]>> = {
  // q and o, k and v, gate and up, down, lm_head
  "Llama-3.2-1B": [
    [2048, 2048],
    [2048, 512],
    [2048, 8192],
    [8192, 2048],
    [2048, 128256],
  ],
  "Llama-3.2-3B": [
    [3072, 3072],
    [3072, 1024],
    [3072, 8192],
    [8192, 3072],
    [3072, 128256],
  ],
  "Llama-3.1-8B": [
    [4096, 4096],
    [4096, 1024],
    [4096, 14336],
    [14336, 4096],
    [4096, 128256],
  ],
  // q, o, k and v, gate and up, down, lm_head
  "Qwen3-0.6B": [
    [1024, 2048],
    [2048, 1024],
    [1024, 1024],
    [1024, 3072],
    [3072, 1024],
    [1024, 151936],
  ],
  "Qwen3-4B": [
    [2560, 4096],
    [4096, 2560],
    [2560, 1024],
    [2560, 9728],
    [9728, 2560],
    [2560, 151936],
  ],
};

/** Elements of a weight of 10 MB, from which on even one row is heavy. The largest of the 1B is less. */
const LARGE = 20e6;

/** From this many outputs on, 128 rows are work enough for large tiles: 96 of them. */
const LARGE_TILE_OUTPUTS = 3072;

function modelCases() {
  return Object.entries(MODELS).flatMap(([label, shapes]) =>
    shapes.flatMap(([K, N]) => {
      const heavy = K * N > LARGE ? { heavy: LARGE_WEIGHT } : {};
      const one = gemvCase([K, N], { label, ...heavy });
      // Only the last row goes through the vocabulary.
      if (N > 100_000) return [one];
      const many = N >= LARGE_TILE_OUTPUTS ? gemmCase : smallGemmCase;
      return [one, many([128, K, N], { label, maxM: 128, heavy: MANY_PRODUCTS })];
    }),
  );
}

// Edge cases repeat combinations of constants where they can: each new one is a pipeline to compile,
// which takes software adapters a second or more.

function gemvEdges() {
  const limits = { maxComputeWorkgroupsPerDimension: 3 };
  return [
    ...[1, 2, 3, 4, 5, 31].map((N) => gemvCase([32, N])),
    gemvCase([64, 5], { groupSize: 64, scaleType: "f32", bias: true }),
    gemvCase([2048, 67], { groupSize: 128 }),
    gemvCase([2048, 1539], { groupSize: 256, scaleType: "f32", bias: true }),
    gemvCase([2048, 31], { groupSize: 2048 }),
    gemvCase([4128, 13], { groupSize: 96 }),
    // words: K or groups that are no multiples of 32, then of 16
    gemvCase([8, 1], { groupSize: 8 }),
    gemvCase([40, 37], { groupSize: 8 }),
    gemvCase([1000, 66], { groupSize: 8 }),
    gemvCase([96, 33], { groupSize: 24 }),
    gemvCase([2048, 1537], { groupSize: 16, scaleType: "f32", bias: true }),
    gemvCase([80, 37], { groupSize: 16, scaleType: "f32", bias: true }),
    // shards
    gemvCase([64, 19], { outStride: 50, outOffset: 0 }),
    gemvCase([64, 19], { outStride: 50, outOffset: 31 }),
    gemvCase([64, 18], {
      groupSize: 64,
      scaleType: "f32",
      bias: true,
      outStride: 20,
      outOffset: 1,
    }),
    gemvCase([40, 19], { groupSize: 8, outStride: 50, outOffset: 7 }),
    // more workgroups than a dimension holds
    gemvCase([32, 263_001]),
    gemvCase([64, 31], { restrict: { limits } }),
    gemvCase([1000, 31], { groupSize: 8, restrict: { limits } }),
    // small workgroups
    gemvCase([8192, 9], { restrict: { limits: { maxComputeInvocationsPerWorkgroup: 64 } } }),
    // Every layout that a device may choose.
    gemvCase([8192, 11], { residual: true, candidates: true }),
    gemvCase([2056, 11], { groupSize: 8, candidates: true }),
  ];
}

function gemmEdges() {
  // Tiles are few enough for such a grid; the lanes of the serial route are not.
  const fewWorkgroups = { software: false, limits: { maxComputeWorkgroupsPerDimension: 3 } };
  const smallWorkgroups = { limits: { maxComputeInvocationsPerWorkgroup: 128 } };
  return [
    ...[1, 2, 3, 4, 5, 8, 15, 16, 17, 31, 32, 33, 70].map((M) =>
      smallGemmCase([M, 64, 35], { maxM: 70 }),
    ),
    ...[1, 5, 31, 33, 48, 63, 64, 65, 70].map((M) => gemmCase([M, 64, 67])),
    // K not a multiple of 16, of 8
    smallGemmCase([6, 96, 33], { groupSize: 24 }),
    smallGemmCase([1, 4, 1], { groupSize: 4, scaleType: "f32", maxM: 2 }),
    smallGemmCase([5, 44, 21], { groupSize: 4, scaleType: "f32" }),
    smallGemmCase([35, 1000, 66], { groupSize: 8, bias: true }),
    gemmCase([40, 40, 64], { groupSize: 8, scaleType: "f32" }),
    gemmCase([35, 36, 21], { groupSize: 36 }),
    gemmCase([34, 512, 65], { groupSize: 256, scaleType: "f32", bias: true }),
    // shards
    smallGemmCase([9, 40, 19], { groupSize: 8, bias: true, outStride: 50, outOffset: 31 }),
    gemmCase([66, 64, 70], { outStride: 140, outOffset: 70 }),
    // folded grids, with a surplus of workgroups
    smallGemmCase([32, 64, 220], { restrict: fewWorkgroups }),
    gemmCase([130, 64, 130], { restrict: fewWorkgroups }),
    // Every way that a device may choose: with all lanes at work, with few rows, and with edges.
    gemmCase([130, 1024, 136], { candidates: true }),
    gemmCase([20, 64, 67], { candidates: true }),
    gemmCase([131, 36, 70], {
      groupSize: 4,
      scaleType: "f32",
      bias: true,
      residual: true,
      candidates: true,
    }),
    gemmCase([34, 8192, 67], { candidates: true }),
    // devices that only hold the small tile
    smallGemmCase([70, 64, 67], { restrict: smallWorkgroups, maxM: MANY_ROWS }),
    smallGemmCase([70, 1024, 136], { restrict: smallWorkgroups, maxM: MANY_ROWS }),
  ];
}

/** Where subgroup matrices end in the middle of a tile; in f32 where there are none. */
function matrixEdges() {
  return [
    gemmCase([17, 64, 264]),
    gemmCase([33, 64, 264]),
    gemmCase([64, 32, 256]),
    gemmCase([70, 1024, 264], { bias: true }),
    gemmCase([70, 64, 263], { groupSize: 16, residual: true }),
    gemmCase([130, 128, 259], { groupSize: 64, scaleType: "f32" }),
    gemmCase([128, 256, 256], { groupSize: 128 }),
    gemmCase([130, 96, 260], { residual: true }),
    gemmCase([130, 96, 260], { outStride: 528, outOffset: 260 }),
    gemmCase([129, 96, 257], { bias: true, residual: true, outStride: 261, outOffset: 1 }),
    gemmCase([33, 8192, 259]),
    // folded grid, with a surplus of workgroups
    gemmCase([130, 64, 260], {
      restrict: { software: false, limits: { maxComputeWorkgroupsPerDimension: 4 } },
    }),
    // enough for large tiles
    gemmCase([130, 1024, 16385], { bias: true, heavy: MANY_PRODUCTS }),
    gemmCase([512, 512, 8192], { residual: true, groupSize: 64, heavy: MANY_PRODUCTS }),
    gemmCase([512, 8192, 8200], { groupSize: 128, heavy: MANY_PRODUCTS }),
  ];
}

/** x as a norm or SwiGLU leaves it. */
function halvesCases() {
  return [
    halvesCase([1, 64, 264], { maxM: 64 }),
    halvesCase([32, 96, 264], { residual: true }),
    halvesCase([33, 64, 264], { bias: true }),
    halvesCase([70, 1024, 264], { residual: true }),
    halvesCase([70, 64, 263], { groupSize: 16, residual: true }),
    halvesCase([130, 96, 260], { groupSize: 96, scaleType: "f32", outStride: 528, outOffset: 260 }),
    halvesCase([512, 512, 8192], { residual: true, groupSize: 64, heavy: MANY_PRODUCTS }),
  ];
}

function fallbackEdges() {
  const restrict = { limits: { maxComputeWorkgroupsPerDimension: 3 } };
  return [
    fallbackCase([1, 1, 1], { groupSize: 1 }),
    fallbackCase([1, 12, 7], { groupSize: 4, bias: true }),
    fallbackCase([1, 36, 9], { groupSize: 18, scaleType: "f32" }),
    fallbackCase([13, 18, 10], { groupSize: 18 }),
    fallbackCase([6, 129, 11], { groupSize: 43, bias: true }),
    fallbackCase([5, 30, 67], { groupSize: 6, outStride: 100, outOffset: 20 }),
    fallbackCase([3, 90, 33], { groupSize: 2, scaleType: "f32", bias: true }),
    fallbackCase([2, 50, 260], { groupSize: 50, maxM: 70, restrict }),
    fallbackCase([8, 54, 260], { groupSize: 18, restrict }),
  ];
}

/** A projection's result added to something, by every route. */
function residualCases() {
  const residual = true;
  return [
    gemvCase([2048, 2048], { residual }),
    gemvCase([64, 19], { residual, bias: true, outStride: 50, outOffset: 31 }),
    gemvCase([40, 37], { residual, groupSize: 8 }),
    smallGemmCase([17, 64, 35], { residual, maxM: 70 }),
    gemmCase([70, 64, 67], { residual, outStride: 140, outOffset: 70 }),
    fallbackCase([6, 129, 11], { residual, groupSize: 43, bias: true }),
  ];
}

/** Every way through the operator: as tests on each adapter, and as benchmarks. */
export const linearQ4gswSuite = defineSuite("linear_q4gsw", [
  ...executorchCases(),
  ...modelCases(),
  ...gemvEdges(),
  ...gemmEdges(),
  ...matrixEdges(),
  ...halvesCases(),
  ...fallbackEdges(),
  ...residualCases(),
]);
