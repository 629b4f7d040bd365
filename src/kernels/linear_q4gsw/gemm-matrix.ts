import type { Capabilities } from "../../gpu/capabilities.ts";
import {
  divideCeil,
  elementwiseGrid,
  foldWorkgroupCount,
  NO_WORKGROUPS,
} from "../../gpu/dispatch-grid.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { DispatchTemplate, Grid, Route } from "../../gpu/kernel.ts";
import { areHalves } from "../shared/halves.ts";
import invocationIndex from "../shared/invocation-index.wgsl";
import octetHalves from "../shared/octet-halves.wgsl";
import q4Scales from "../shared/q4-scales.wgsl";
import dequantizeF16 from "./dequantize-f16.wgsl";
import gemmSubgroupMatrix from "./gemm-subgroup-matrix.wgsl";
import { linearDispatch } from "./linear-kernel.ts";
import type { LinearLive, LinearQ4gswShape } from "./linear-kernel.ts";
import {
  matrixChoice,
  partsBytes,
  scalesPerBlock,
  tileConstants,
  usedTiles,
} from "./matrix-tiles.ts";
import type { Choose, MatrixTile } from "./matrix-tiles.ts";
import operands from "./operands.wgsl";
import orderWeights from "./order-weights.wgsl";
import prepareSource from "./prepare-f16.wgsl";
import prepareWeightsSource from "./prepare-weights.wgsl";
import scalesSource from "./scales.wgsl";
import sumSplitsSource from "./sum-splits.wgsl";
import writeSums from "./write-sums.wgsl";

const NAME = "gemm_subgroup_matrix";
const PREPARE_LANES = 256;
/** Rows of x, or of weights, that a workgroup of prepare-f16.wgsl takes, and vectors of each. */
const PREPARE_ROWS = 32;
const PREPARE_COLUMNS = PREPARE_LANES / PREPARE_ROWS;
const SUM_LANES = 256;

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
