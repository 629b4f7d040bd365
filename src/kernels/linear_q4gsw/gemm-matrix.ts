import type { Capabilities } from "../../gpu/capabilities.ts";
import { divideCeil } from "../../gpu/dispatch-grid.ts";
import type { LinearQ4gswShape } from "./linear-q4gsw.ts";

/** Rows and columns of a workgroup's outputs, and how many steps' operands it holds at once. */
export interface MatrixTile {
  readonly tile: 64 | 128;
  readonly buffers: 1 | 2;
}

/** What gemm-subgroup-matrix.wgsl is written for. */
const SUBGROUP_SIZE = 32;
const SIDE = 16;

/**
 * Rows up to which exact f32 is as fast: 32 of them fill one small tile of gemm-tiled.wgsl, and half
 * of a matrix kernel's.
 */
const F32_MAX_ROWS = 32;

/**
 * Fewer outputs make too few tiles. A binding that a matrix is stored to must hold a matrix at least,
 * 1,024 bytes; so long a row does.
 */
const MIN_OUTPUTS = 256;

/**
 * Large tiles from which on they pay: most of a large GPU's cores have one then (November 2026, an
 * H200: 64 of them take 1.4 times as long as small ones, 96 of them 0.9 times).
 */
const LARGE_TILE_MIN_TILES = 96;

/** Bytes of workgroup memory a step's operands take: two tiles of five vectors a row. */
const stepBytes = (tile: number): number => 2 * tile * 5 * 16;

const multipliesF16 = ({ subgroupMatrices }: Capabilities): boolean =>
  subgroupMatrices.some(
    ({ componentType, resultComponentType, M, N, K }) =>
      componentType === "f16" &&
      resultComponentType === "f32" &&
      [M, N, K].every((size) => size === SIDE),
  );

/** A tile as the device can hold it: two steps if they fit. */
function fitting(tile: 64 | 128, { limits }: Capabilities): MatrixTile | undefined {
  const lanes = 2 * tile;
  const steps = Math.floor(limits.maxComputeWorkgroupStorageSize / stepBytes(tile));
  const fits =
    steps >= 1 &&
    limits.maxComputeInvocationsPerWorkgroup >= lanes &&
    limits.maxComputeWorkgroupSizeX >= lanes;
  return fits ? { tile, buffers: steps >= 2 ? 2 : 1 } : undefined;
}

/**
 * The tiles that a product may use on subgroup matrices, smallest first; none where the device or
 * the shape cannot or where f32 is as fast. Which of them a run uses, {@link matrixTileFor} says.
 */
export function matrixTiles(
  shape: LinearQ4gswShape,
  capabilities: Capabilities,
): readonly MatrixTile[] {
  const { N, K, groupSize, maxM = Infinity } = shape;
  const { f16, subgroups } = capabilities;
  const able =
    f16 &&
    subgroups?.minSize === SUBGROUP_SIZE &&
    subgroups.maxSize === SUBGROUP_SIZE &&
    multipliesF16(capabilities);
  // Groups of 8 have so many scales that reading them would cost more than multiplying.
  const suits = N >= MIN_OUTPUTS && K % 32 === 0 && groupSize % 16 === 0 && maxM > F32_MAX_ROWS;
  const small = able && suits ? fitting(64, capabilities) : undefined;
  if (small === undefined) return [];
  const large = fitting(128, capabilities);
  return large !== undefined && fillsLargeTiles(maxM, N) ? [small, large] : [small];
}

const fillsLargeTiles = (M: number, N: number): boolean =>
  divideCeil(M, 128) * divideCeil(N, 128) >= LARGE_TILE_MIN_TILES;

/** Which of `tiles` computes M live rows of N outputs; undefined where f32 does. */
export function matrixTileFor(
  tiles: readonly MatrixTile[],
  M: number,
  N: number,
): MatrixTile | undefined {
  if (M <= F32_MAX_ROWS) return undefined;
  return fillsLargeTiles(M, N) ? tiles.at(-1) : tiles[0];
}
