/** How products on subgroup matrices are divided: which tiles a run takes. */
import type { Capabilities } from "../../gpu/capabilities.ts";
import { divideCeil } from "../../gpu/dispatch-grid.ts";
import { areHalves, F32_MAX_ROWS } from "../shared/halves.ts";
import { LARGE_GPU_MULTIPROCESSORS } from "../shared/large-gpu.ts";
import { hasF16Matrices, MATRIX_SUBGROUP_SIZE } from "../shared/subgroup-matrices.ts";
import type { LinearQ4gswShape } from "./linear-kernel.ts";

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

/** Small workgroups that a multiprocessor runs at once. */
const SMALL_AT_ONCE = 2;
const MAX_SPLITS = 8;
/** Blocks of 32 k that make a split worth its part of the sums to write and to add. */
const MIN_SPLIT_BLOCKS = 8;

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
  const atOnce = LARGE_GPU_MULTIPROCESSORS * (large ? 1 : SMALL_AT_ONCE);
  const most = Math.min(MAX_SPLITS, Math.floor(K / (32 * MIN_SPLIT_BLOCKS)));
  const splits = Math.max(1, Math.min(Math.floor(atOnce / tiles), most));
  if (splits > 1) return { tile: large ? TILES.largeSplit : TILES.smallSplit, splits };
  if (!large) return { tile: TILES.small, splits };
  return { tile: tiles <= atOnce ? TILES.fewLarge : TILES.large, splits };
}

export type Choose = (M: number) => MatrixChoice | undefined;

/** Bytes of what so many workgroups did of sums. */
export const partsBytes = (M: number, N: number, splits: number): number => 4 * splits * M * N;

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

/** Scales of a row for every 32 weights. */
export const scalesPerBlock = ({ groupSize }: LinearQ4gswShape): number => (groupSize < 32 ? 2 : 1);

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

/** Large tiles that leave at most half of the multiprocessors idle; fewer are worth small ones. */
const SWIGLU_MIN_LARGE_TILES = LARGE_GPU_MULTIPROCESSORS / 2;

/** What multiplies gate and up as one: no sums are shared, because each is needed whole. */
export function swigluTile(
  { N }: LinearQ4gswShape,
  M: number,
  capabilities: Capabilities,
): MatrixTile {
  const { tileM, tileN } = TILES.large;
  const tiles = divideCeil(M, tileM) * divideCeil(2 * N, tileN);
  const large =
    M > SMALL_MAX_ROWS && tiles >= SWIGLU_MIN_LARGE_TILES && fits(TILES.large, capabilities);
  if (!large) return TILES.small;
  return tiles <= LARGE_GPU_MULTIPROCESSORS ? TILES.fewLarge : TILES.large;
}
