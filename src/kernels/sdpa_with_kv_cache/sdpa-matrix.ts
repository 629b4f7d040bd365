import type { Capabilities } from "../../gpu/capabilities.ts";
import { divideCeil, elementwiseGrid, foldWorkgroupCount } from "../../gpu/dispatch-grid.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { Route } from "../../gpu/kernel.ts";
import invocationIndex from "../shared/invocation-index.wgsl";
import { hasF16Matrices, MATRIX_SIDE, MATRIX_SUBGROUP_SIZE } from "../shared/subgroup-matrices.ts";
import matrixSource from "./sdpa-matrix.wgsl";
import queryHalvesSource from "./sdpa-query-halves.wgsl";
import { attentionWork } from "./sdpa-shape.ts";
import type { SdpaLive, SdpaShape } from "./sdpa-shape.ts";
import { appendDispatch } from "./sdpa-stream.ts";

/** How sdpa-matrix.wgsl divides its work: its constants, in lower case. */
export interface SdpaMatrixTile {
  /** Keys that pass through workgroup memory at once. */
  readonly keys: 16 | 32 | 64;
  /** Blocks of 16 query rows a subgroup owns. */
  readonly blocks: 1 | 2;
  readonly lanes: number;
}

/**
 * The tiles to choose from, best first (November 2026, an H200). Two blocks of heads of over 64 values
 * exceed a lane's registers: 1.3 times as slow as one.
 */
const TILES: readonly SdpaMatrixTile[] = [
  { keys: 32, blocks: 2, lanes: 128 },
  { keys: 64, blocks: 1, lanes: 128 },
  { keys: 32, blocks: 1, lanes: 128 },
  { keys: 16, blocks: 1, lanes: 128 },
];

/** Values of the head in a slab, as the kernel says. */
const SLAB_VALUES = 64;
const QUERY_LANES = 256;

const tileRows = ({ blocks, lanes }: SdpaMatrixTile): number =>
  (lanes / MATRIX_SUBGROUP_SIZE) * blocks * MATRIX_SIDE;

/** Bytes of workgroup memory: keys and values, scores, weights, a factor a row, a flag. */
function tileBytes(tile: SdpaMatrixTile, headSlabs: number): number {
  const { keys, blocks } = tile;
  const rows = tileRows(tile);
  const scores = (rows / blocks) * (SLAB_VALUES / 4 + 2) * 16;
  const weights = rows * (keys / 8 + 1) * 16;
  return 2 * keys * headSlabs * 9 * 16 + scores + weights + 4 * rows + 4;
}

/** The tile for heads of a size on a device; undefined where the kernel cannot run. */
export function sdpaMatrixTile(
  { headSize, cacheType, maxS }: SdpaShape,
  capabilities: Capabilities,
): SdpaMatrixTile | undefined {
  const { limits, software } = capabilities;
  const able = hasF16Matrices(capabilities) && !software;
  if (!able || cacheType !== "f16" || headSize % 8 !== 0 || maxS === undefined) return undefined;
  const headSlabs = divideCeil(headSize, SLAB_VALUES);
  return TILES.find(
    (tile) =>
      // More vectors of keys and values than this would not fit a lane's registers.
      tile.keys * headSlabs <= 64 &&
      (tile.blocks === 1 || headSlabs === 1) &&
      tile.lanes <= limits.maxComputeInvocationsPerWorkgroup &&
      tile.lanes <= limits.maxComputeWorkgroupSizeX &&
      tileBytes(tile, headSlabs) <= limits.maxComputeWorkgroupStorageSize,
  );
}

/** Any number of query rows over an f16 cache, on subgroup matrices. */
export function matrixRoute(
  shape: SdpaShape,
  tile: SdpaMatrixTile,
  capabilities: Capabilities,
): Route<SdpaLive> {
  const { heads, kvHeads, headSize, cacheLength, scale, maxS = 1 } = shape;
  const group = heads / kvHeads;
  const headSlabs = divideCeil(headSize, SLAB_VALUES);
  const rows = tileRows(tile);
  const paddedRows = (S: number): number => divideCeil(S * group, rows) * rows;
  const octets = headSlabs * (SLAB_VALUES / 8);
  return {
    name: "sdpa_matrix",
    scratch: { q_halves: 16 * kvHeads * paddedRows(maxS) * octets },
    dispatches: [
      appendDispatch(shape, capabilities),
      {
        kernel: defineKernel({
          label: "sdpa_query_halves",
          parts: [invocationIndex, queryHalvesSource],
          overrides: { WORKGROUP_SIZE: QUERY_LANES },
        }),
        bind: { q_halves: "q_halves", q: "q" },
        params: ({ S }) => ({
          rows: S * group,
          padded_rows: paddedRows(S),
          kv_heads: kvHeads,
          group,
          head_octets: headSize / 8,
          padded_octets: octets,
          scale,
        }),
        grid: ({ S }) =>
          elementwiseGrid(kvHeads * paddedRows(S) * octets, QUERY_LANES, capabilities),
      },
      {
        kernel: defineKernel({
          label: "sdpa_matrix",
          parts: [matrixSource],
          constants: {
            HEAD_SLABS: headSlabs,
            KEYS: tile.keys,
            BLOCKS: tile.blocks,
            LANES: tile.lanes,
          },
        }),
        bind: {
          out: "out",
          q_halves: "q_halves",
          k_cache: "k_cache",
          v_cache: "v_cache",
          input_pos: "input_pos",
        },
        params: ({ S }) => ({
          tokens: S,
          padded_rows: paddedRows(S),
          kv_heads: kvHeads,
          group,
          head_octets: headSize / 8,
          cache_length: cacheLength,
        }),
        grid: ({ S }) => foldWorkgroupCount((kvHeads * paddedRows(S)) / rows, capabilities),
        work: (live) => attentionWork(shape, live),
      },
    ],
  };
}
