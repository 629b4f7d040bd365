import type { Capabilities } from "../../gpu/capabilities.ts";
import { divideCeil, elementwiseGrid, foldWorkgroupCount } from "../../gpu/dispatch-grid.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { DispatchTemplate, Grid, Route } from "../../gpu/kernel.ts";
import invocationIndex from "../shared/invocation-index.wgsl";
import q4Scales from "../shared/q4-scales.wgsl";
import { hasF16Matrices, MATRIX_SUBGROUP_SIZE } from "../shared/subgroup-matrices.ts";
import dequantizeF16 from "./dequantize-f16.wgsl";
import gemmSubgroupMatrix from "./gemm-subgroup-matrix.wgsl";
import { linearDispatch, NO_WORKGROUPS } from "./linear-kernel.ts";
import type { LinearLive, LinearQ4gswShape } from "./linear-kernel.ts";
import operands from "./operands.wgsl";
import prepareSource from "./prepare-f16.wgsl";
import scalesSource from "./scales.wgsl";
import sumSplitsSource from "./sum-splits.wgsl";

/** How gemm-subgroup-matrix.wgsl divides a product. */
export interface MatrixTile {
  readonly name: string;
  /** Outputs of a workgroup, and of a subgroup: TILE_M, TILE_N, PART_M, PART_N. */
  readonly tileM: number;
  readonly tileN: number;
  readonly partM: number;
  readonly partN: number;
  /** Operands of 32 k that workgroup memory holds, where there is room: BUFFERS. */
  readonly buffers: 1 | 2;
  /** Several workgroups share a tile's sums: SPLIT. */
  readonly split: boolean;
}

const SMALL = { tileM: 64, tileN: 64, partM: 32, partN: 32, buffers: 2 } as const;
const LARGE = { tileM: 128, tileN: 128, partM: 64, partN: 64 } as const;

/**
 * What there is to choose from. NVIDIA's driver gives all workgroups on a multiprocessor some 48 KiB of
 * workgroup memory: with one buffer two large tiles fit, which is faster than one with two buffers
 * (November 2026, an H200: 1.2 to 1.5 times), unless there are no more tiles than multiprocessors.
 */
const TILES = {
  small: { name: "small", ...SMALL, split: false },
  smallSplit: { name: "small_split", ...SMALL, split: true },
  large: { name: "large", ...LARGE, buffers: 1, split: false },
  fewLarge: { name: "few_large", ...LARGE, buffers: 2, split: false },
  largeSplit: { name: "large_split", ...LARGE, buffers: 2, split: true },
} as const satisfies Readonly<Record<string, MatrixTile>>;

/**
 * Rows up to which exact f32 is as fast: 32 of them fill one small tile of gemm-tiled.wgsl, and half
 * of a matrix kernel's.
 */
export const F32_MAX_ROWS = 32;

/** Rows up to which small tiles waste less. */
const SMALL_MAX_ROWS = 64;

/**
 * Fewer outputs make too few tiles. A binding that a matrix is stored to must hold a matrix at least,
 * 1,024 bytes; so long a row does.
 */
const MIN_OUTPUTS = 256;

/** Multiprocessors of a large GPU; with fewer tiles several workgroups share one. */
const MULTIPROCESSORS = 132;
/** Small workgroups that a multiprocessor runs at once. */
const SMALL_AT_ONCE = 2;
const MAX_SPLITS = 8;
/** Blocks of 32 k that make a split worth its part of the sums to write and to add. */
const MIN_SPLIT_BLOCKS = 8;

const NAME = "gemm_subgroup_matrix";
const PREPARE_LANES = 256;
/** Rows of x, or of weights, that a workgroup of prepare-f16.wgsl takes, and vectors of each. */
const PREPARE_ROWS = 32;
const PREPARE_COLUMNS = PREPARE_LANES / PREPARE_ROWS;
const SUM_LANES = 256;

/** Lanes of a workgroup. */
const tileLanes = ({ tileM, tileN, partM, partN }: MatrixTile): number =>
  (tileM / partM) * (tileN / partN) * MATRIX_SUBGROUP_SIZE;

/** Bytes of workgroup memory: two tiles of five vectors a row. */
const tileBytes = ({ tileM, tileN }: MatrixTile, buffers: number): number =>
  (tileM + tileN) * buffers * 5 * 16;

function fits(tile: MatrixTile, { limits }: Capabilities): boolean {
  const lanes = tileLanes(tile);
  return (
    limits.maxComputeInvocationsPerWorkgroup >= lanes &&
    limits.maxComputeWorkgroupSizeX >= lanes &&
    limits.maxComputeWorkgroupStorageSize >= tileBytes(tile, 1)
  );
}

/** Whether a product of many rows goes to subgroup matrices where more than a few are live. */
export function takesMatrices(shape: LinearQ4gswShape, capabilities: Capabilities): boolean {
  const { N, K, groupSize, maxM = 1 } = shape;
  // The kernels take a scale, or two, for every 32 weights.
  const wholeBlocks = K % 32 === 0 && (groupSize === 16 || groupSize % 32 === 0);
  const able = hasF16Matrices(capabilities) && fits(TILES.small, capabilities);
  return wholeBlocks && N >= MIN_OUTPUTS && maxM > F32_MAX_ROWS && able;
}

/** How one run divides a product. */
export interface MatrixChoice {
  readonly tile: MatrixTile;
  readonly splits: number;
}

/** What computes M live rows; undefined where f32 does. */
export function matrixChoice(
  { N, K }: LinearQ4gswShape,
  M: number,
  capabilities: Capabilities,
): MatrixChoice | undefined {
  if (M <= F32_MAX_ROWS) return undefined;
  const large = M > SMALL_MAX_ROWS && fits(TILES.large, capabilities);
  const { tileM, tileN } = large ? TILES.large : TILES.small;
  const tiles = divideCeil(M, tileM) * divideCeil(N, tileN);
  const atOnce = MULTIPROCESSORS * (large ? 1 : SMALL_AT_ONCE);
  const most = Math.min(MAX_SPLITS, Math.floor(K / (32 * MIN_SPLIT_BLOCKS)));
  const splits = Math.max(1, Math.min(Math.floor(atOnce / tiles), most));
  if (splits > 1) return { tile: large ? TILES.largeSplit : TILES.smallSplit, splits };
  if (!large) return { tile: TILES.small, splits };
  return { tile: tiles <= atOnce ? TILES.fewLarge : TILES.large, splits };
}

type Choose = (M: number) => MatrixChoice | undefined;

/** The tiles that up to maxM rows use, and bytes of the parts of sums that workgroups share. */
function usedTiles({ N, maxM = 1 }: LinearQ4gswShape, choose: Choose) {
  const tiles = new Set<MatrixTile>();
  let partBytes = 0;
  for (let M = 1; M <= maxM; M++) {
    const choice = choose(M);
    if (choice === undefined) continue;
    tiles.add(choice.tile);
    if (choice.splits > 1) partBytes = Math.max(partBytes, 4 * choice.splits * M * N);
  }
  return { tiles, partBytes };
}

const scalesPerBlock = ({ groupSize }: LinearQ4gswShape): number => (groupSize < 32 ? 2 : 1);

/** Rounds operands to f16 and puts them in the order that tiles are read in. */
function prepareDispatch(
  shape: LinearQ4gswShape,
  choose: Choose,
  capabilities: Capabilities,
): DispatchTemplate<LinearLive> {
  const { N, K, groupSize, scaleType } = shape;
  const workgroups = (rows: number, vectors: number): number =>
    divideCeil(rows, PREPARE_ROWS) * divideCeil(vectors, PREPARE_COLUMNS);
  const xWorkgroups = (M: number): number => workgroups(M, K / 8);
  return {
    kernel: defineKernel({
      label: "linear_q4gsw_prepare_f16",
      parts: [q4Scales, scalesSource, prepareSource],
      constants: {
        SCALES_F16: scaleType === "f16",
        SCALES_PER_BLOCK: scalesPerBlock(shape),
        BLOCKS_PER_GROUP: Math.max(1, groupSize / 32),
      },
      overrides: { WORKGROUP_SIZE: PREPARE_LANES },
    }),
    bind: {
      x_halves: "x_halves",
      weight_columns: "weight_columns",
      scale_halves: "scale_halves",
      x: "x",
      weight: "weight",
      scales: "scales",
    },
    params: ({ M }) => ({ M, N, K, x_workgroups: xWorkgroups(M) }),
    grid: ({ M }) =>
      choose(M) === undefined
        ? NO_WORKGROUPS
        : foldWorkgroupCount(xWorkgroups(M) + workgroups(N, K / 32), capabilities),
  };
}

/** The product in one kind of tile, for the runs that choose it. */
function multiplyDispatch(
  shape: LinearQ4gswShape,
  tile: MatrixTile,
  choose: Choose,
  capabilities: Capabilities,
): DispatchTemplate<LinearLive> {
  const { tileM, tileN, partM, partN, split, buffers } = tile;
  const roomy = tileBytes(tile, buffers) <= capabilities.limits.maxComputeWorkgroupStorageSize;
  const product = split ? { ...shape, hasBias: false, hasResidual: false } : shape;
  const kernel = defineKernel({
    label: `linear_q4gsw_${NAME}_${tile.name}`,
    parts: [operands, dequantizeF16, gemmSubgroupMatrix],
    constants: {
      TILE_M: tileM,
      TILE_N: tileN,
      PART_M: partM,
      PART_N: partN,
      BUFFERS: roomy ? buffers : 1,
      LANES: tileLanes(tile),
      SCALES_PER_BLOCK: scalesPerBlock(shape),
      SPLIT: split,
      HAS_BIAS: product.hasBias,
      HAS_RESIDUAL: product.hasResidual ?? false,
    },
  });
  const dispatch = linearDispatch(product, kernel, ({ M }) => {
    const choice = choose(M);
    if (choice?.tile !== tile) return NO_WORKGROUPS;
    const tiles = divideCeil(M, tileM) * divideCeil(shape.N, tileN);
    const [x, y] = foldWorkgroupCount(tiles, capabilities);
    return [x, y, choice.splits];
  });
  const prepared = { x: "x_halves", weight: "weight_columns", scales: "scale_halves" };
  const out = split ? { out: "parts" } : {};
  return { ...dispatch, bind: { ...dispatch.bind, ...prepared, ...out } };
}

/** Adds up what workgroups did of shared sums. */
function sumDispatch(
  { N, hasBias, hasResidual = false, outStride = N, outOffset = 0 }: LinearQ4gswShape,
  choose: Choose,
  capabilities: Capabilities,
): DispatchTemplate<LinearLive> {
  const splits = (M: number): number => choose(M)?.splits ?? 1;
  return {
    kernel: defineKernel({
      label: "linear_q4gsw_sum_splits",
      parts: [invocationIndex, sumSplitsSource],
      constants: { HAS_BIAS: hasBias, HAS_RESIDUAL: hasResidual },
      overrides: { WORKGROUP_SIZE: SUM_LANES },
    }),
    bind: {
      out: "out",
      parts: "parts",
      bias: hasBias ? "bias" : "parts",
      residual: hasResidual ? "residual" : "parts",
    },
    params: ({ M }) => ({
      M,
      N,
      splits: splits(M),
      out_stride: outStride,
      out_offset: outOffset,
    }),
    grid: ({ M }) =>
      splits(M) > 1 ? elementwiseGrid(M * N, SUM_LANES, capabilities) : NO_WORKGROUPS,
  };
}

/**
 * Many rows on subgroup matrices: operands are rounded to f16 and put in order, one kernel multiplies, and
 * what several workgroups did of a sum is added up. A few live rows go through `few` instead, in f32.
 */
export function gemmMatrix(
  shape: LinearQ4gswShape,
  few: Route<LinearLive>,
  capabilities: Capabilities,
): Route<LinearLive> {
  const { N, K, maxM = 1 } = shape;
  const choose: Choose = (M) => matrixChoice(shape, M, capabilities);
  const { tiles, partBytes } = usedTiles(shape, choose);
  const parts = partBytes > 0 ? { parts: partBytes } : {};
  return {
    name: NAME,
    scratch: {
      x_halves: 2 * maxM * K,
      weight_columns: (N * K) / 2,
      scale_halves: 2 * N * (K / 32) * scalesPerBlock(shape),
      ...parts,
    },
    dispatches: [
      ...few.dispatches.map((dispatch) => ({
        ...dispatch,
        grid: (live: LinearLive): Grid =>
          choose(live.M) === undefined ? dispatch.grid(live) : NO_WORKGROUPS,
      })),
      prepareDispatch(shape, choose, capabilities),
      ...[...tiles].map((tile) => multiplyDispatch(shape, tile, choose, capabilities)),
      ...(partBytes > 0 ? [sumDispatch(shape, choose, capabilities)] : []),
    ],
  };
}
