import type { Capabilities } from "../../gpu/capabilities.ts";
import {
  divideCeil,
  elementwiseGrid,
  foldWorkgroupCount,
  NO_WORKGROUPS,
} from "../../gpu/dispatch-grid.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { DispatchTemplate, Grid, Route } from "../../gpu/kernel.ts";
import { productWork } from "../../gpu/work.ts";
import { areHalves, F32_MAX_ROWS } from "../shared/halves.ts";
import invocationIndex from "../shared/invocation-index.wgsl";
import octetHalves from "../shared/octet-halves.wgsl";
import q4Scales from "../shared/q4-scales.wgsl";
import sigmoid from "../shared/sigmoid.wgsl";
import { hasF16Matrices, MATRIX_SUBGROUP_SIZE } from "../shared/subgroup-matrices.ts";
import dequantizeF16 from "./dequantize-f16.wgsl";
import gemmSubgroupMatrix from "./gemm-subgroup-matrix.wgsl";
import { linearDispatch } from "./linear-kernel.ts";
import type { LinearLive, LinearQ4gswShape } from "./linear-kernel.ts";
import operands from "./operands.wgsl";
import orderWeights from "./order-weights.wgsl";
import prepareSource from "./prepare-f16.wgsl";
import prepareWeightsSource from "./prepare-weights.wgsl";
import scalesSource from "./scales.wgsl";
import sumSplitsSource from "./sum-splits.wgsl";
import writeSums from "./write-sums.wgsl";
import writeSwiglu from "./write-swiglu.wgsl";

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
  if (!areHalves(M)) return undefined;
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

export type Choose = (M: number) => MatrixChoice | undefined;

/** Bytes of what so many workgroups did of sums. */
const partsBytes = (M: number, N: number, splits: number): number => 4 * splits * M * N;

/** The tiles that up to maxM rows use, and bytes of the parts of sums that workgroups share. */
export function usedTiles({ N, maxM = 1 }: LinearQ4gswShape, choose: Choose) {
  const tiles = new Set<MatrixTile>();
  let partBytes = 0;
  for (let M = 1; M <= maxM; M++) {
    const choice = choose(M);
    if (choice === undefined) continue;
    tiles.add(choice.tile);
    if (choice.splits > 1) partBytes = Math.max(partBytes, partsBytes(M, N, choice.splits));
  }
  return { tiles, partBytes };
}

const scalesPerBlock = ({ groupSize }: LinearQ4gswShape): number => (groupSize < 32 ? 2 : 1);

/** Workgroups that prepare so many rows of so many vectors. */
const prepareWorkgroups = (rows: number, vectors: number): number =>
  divideCeil(rows, PREPARE_ROWS) * divideCeil(vectors, PREPARE_COLUMNS);

/** What order-weights.wgsl is made for. */
const orderConstants = (shape: LinearQ4gswShape) => ({
  SCALES_F16: shape.scaleType === "f16",
  SCALES_PER_BLOCK: scalesPerBlock(shape),
  BLOCKS_PER_GROUP: Math.max(1, shape.groupSize / 32),
});

/** Rounds operands to f16 and puts them in the order that tiles are read in. */
function prepareDispatch(
  shape: LinearQ4gswShape,
  choose: Choose,
  capabilities: Capabilities,
): DispatchTemplate<LinearLive> {
  const { N, K } = shape;
  const xWorkgroups = (M: number): number => prepareWorkgroups(M, K / 8);
  return {
    kernel: defineKernel({
      label: "linear_q4gsw_prepare_f16",
      parts: [q4Scales, scalesSource, octetHalves, orderWeights, prepareSource],
      constants: orderConstants(shape),
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
        : foldWorkgroupCount(xWorkgroups(M) + prepareWorkgroups(N, K / 32), capabilities),
    work: ({ M }) => ({ bytes: { x_halves: 2 * M * K } }),
  };
}

/** Which of the matrices that are multiplied as one, and what its operands are called. */
export interface Turn {
  readonly matrices: number;
  readonly turn: number;
  readonly weight: string;
  readonly scales: string;
}

/** The same for weights alone, where x comes as halves. */
export function prepareWeightsDispatch(
  shape: LinearQ4gswShape,
  { matrices, turn, weight, scales }: Turn,
  capabilities: Capabilities,
): DispatchTemplate<LinearLive> {
  const { N, K } = shape;
  const grid = foldWorkgroupCount(prepareWorkgroups(N, K / 32), capabilities);
  return {
    kernel: defineKernel({
      label: "linear_q4gsw_prepare_weights",
      parts: [q4Scales, scalesSource, orderWeights, prepareWeightsSource],
      constants: orderConstants(shape),
      overrides: { WORKGROUP_SIZE: PREPARE_LANES },
    }),
    bind: { weight_columns: "weight_columns", scale_halves: "scale_halves", weight, scales },
    params: () => ({ N, K, matrices, turn }),
    grid: ({ M }) => (areHalves(M) ? grid : NO_WORKGROUPS),
  };
}

const ONLY: Turn = { matrices: 1, turn: 0, weight: "weight", scales: "scales" };

/** What gemm-subgroup-matrix.wgsl is made for. */
export function tileConstants(
  shape: LinearQ4gswShape,
  tile: MatrixTile,
  { limits }: Capabilities,
): Readonly<Record<string, number>> {
  const { tileM, tileN, partM, partN, buffers } = tile;
  const roomy = tileBytes(tile, buffers) <= limits.maxComputeWorkgroupStorageSize;
  return {
    TILE_M: tileM,
    TILE_N: tileN,
    PART_M: partM,
    PART_N: partN,
    BUFFERS: roomy ? buffers : 1,
    LANES: tileLanes(tile),
    SCALES_PER_BLOCK: scalesPerBlock(shape),
  };
}

/** The product in one kind of tile, for the runs that choose it. */
export function multiplyDispatch(
  shape: LinearQ4gswShape,
  tile: MatrixTile,
  choose: Choose,
  capabilities: Capabilities,
): DispatchTemplate<LinearLive> {
  const { tileM, tileN, split } = tile;
  const product = split ? { ...shape, hasBias: false, hasResidual: false } : shape;
  const kernel = defineKernel({
    label: `linear_q4gsw_${NAME}_${tile.name}`,
    parts: [operands, dequantizeF16, writeSums, gemmSubgroupMatrix],
    constants: {
      ...tileConstants(shape, tile, capabilities),
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
  const prepared = { weight: "weight_columns", scales: "scale_halves" };
  const x = shape.xHalves === true ? "x" : "x_halves";
  const out = split ? { out: "parts" } : {};
  return {
    ...dispatch,
    bind: { ...dispatch.bind, ...prepared, x, ...out },
    // Scratch is as large as the largest run needs.
    work: ({ M }) => ({
      ...dispatch.work?.({ M }),
      bytes: {
        ...dispatch.work?.({ M }).bytes,
        x_halves: 2 * M * shape.K,
        parts: partsBytes(M, shape.N, choose(M)?.splits ?? 1),
      },
    }),
  };
}

/** Which columns of parts are a matrix's, where several were multiplied as one. */
export interface PartColumns {
  readonly columns: number;
  readonly first: number;
}

/** Adds up what workgroups did of shared sums. */
export function sumDispatch(
  { N, hasBias, hasResidual = false, outStride = N, outOffset = 0 }: LinearQ4gswShape,
  choose: Choose,
  capabilities: Capabilities,
  { columns, first }: PartColumns = { columns: N, first: 0 },
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
      part_columns: columns,
      part_first: first,
      out_stride: outStride,
      out_offset: outOffset,
    }),
    grid: ({ M }) =>
      splits(M) > 1 ? elementwiseGrid(M * N, SUM_LANES, capabilities) : NO_WORKGROUPS,
    // Of a whole result a shard touches its columns, and of parts those of this matrix.
    work: ({ M }) => ({
      bytes: {
        parts: partsBytes(M, N, splits(M)),
        out: 4 * M * N,
        bias: 4 * N,
        residual: 4 * M * N,
      },
    }),
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
  const { N, K, maxM = 1, xHalves = false } = shape;
  const choose: Choose = (M) => matrixChoice(shape, M, capabilities);
  const { tiles, partBytes } = usedTiles(shape, choose);
  return {
    name: NAME,
    scratch: {
      ...(xHalves ? {} : { x_halves: 2 * maxM * K }),
      ...weightScratch(shape, N),
      ...(partBytes > 0 ? { parts: partBytes } : {}),
    },
    dispatches: [
      ...fewRows(few.dispatches),
      xHalves
        ? prepareWeightsDispatch(shape, ONLY, capabilities)
        : prepareDispatch(shape, choose, capabilities),
      ...[...tiles].map((tile) => multiplyDispatch(shape, tile, choose, capabilities)),
      ...(partBytes > 0 ? [sumDispatch(shape, choose, capabilities)] : []),
    ],
  };
}

/** Bytes of so many columns of weights in order. */
export const weightScratch = (shape: LinearQ4gswShape, columns: number) => ({
  weight_columns: (columns * shape.K) / 2,
  scale_halves: 2 * columns * (shape.K / 32) * scalesPerBlock(shape),
});

/** Dispatches for the runs with so few rows that they are f32. */
export const fewRows = (
  dispatches: readonly DispatchTemplate<LinearLive>[],
): readonly DispatchTemplate<LinearLive>[] =>
  dispatches.map((dispatch) => ({
    ...dispatch,
    grid: (live: LinearLive): Grid => (areHalves(live.M) ? NO_WORKGROUPS : dispatch.grid(live)),
  }));

/** Large tiles that leave at most half of the multiprocessors idle; fewer are worth small ones. */
const SWIGLU_MIN_LARGE_TILES = MULTIPROCESSORS / 2;

/** What multiplies gate and up as one: no sums are shared, because each is needed whole. */
function swigluTile({ N }: LinearQ4gswShape, M: number, capabilities: Capabilities): MatrixTile {
  const { tileM, tileN } = TILES.large;
  const tiles = divideCeil(M, tileM) * divideCeil(2 * N, tileN);
  const large =
    M > SMALL_MAX_ROWS && tiles >= SWIGLU_MIN_LARGE_TILES && fits(TILES.large, capabilities);
  if (!large) return TILES.small;
  return tiles <= MULTIPROCESSORS ? TILES.fewLarge : TILES.large;
}

/**
 * silu(gate) · up as halves from x as halves and the weights of both in turns, in whatever tiles up to
 * maxM rows use. Gate and up have the same shape.
 */
export function multiplySwigluDispatches(
  shape: LinearQ4gswShape,
  capabilities: Capabilities,
): readonly DispatchTemplate<LinearLive>[] {
  const { N, K, maxM = 1 } = shape;
  const tiles = new Set<MatrixTile>();
  for (let M = 1; M <= maxM; M++) {
    if (areHalves(M)) tiles.add(swigluTile(shape, M, capabilities));
  }
  return [...tiles].map((tile): DispatchTemplate<LinearLive> => ({
    kernel: defineKernel({
      label: `swiglu_halves_${tile.name}`,
      parts: [dequantizeF16, octetHalves, sigmoid, writeSwiglu, gemmSubgroupMatrix],
      constants: tileConstants(shape, tile, capabilities),
    }),
    bind: { out: "out", x: "x", weight: "weight_columns", scales: "scale_halves" },
    params: ({ M }) => ({ M, N: 2 * N, K }),
    grid: ({ M }) =>
      areHalves(M) && swigluTile(shape, M, capabilities) === tile
        ? foldWorkgroupCount(
            divideCeil(M, tile.tileM) * divideCeil(2 * N, tile.tileN),
            capabilities,
          )
        : NO_WORKGROUPS,
    work: ({ M }) => ({ ...productWork(M, 2 * N, K), bytes: { out: 2 * M * N, x: 2 * M * K } }),
  }));
}
