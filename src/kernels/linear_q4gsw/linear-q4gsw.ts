import type { Capabilities } from "../../gpu/capabilities.ts";
import {
  clampWorkgroupCount,
  divideCeil,
  elementwiseGrid,
  foldWorkgroupCount,
  NO_WORKGROUPS,
} from "../../gpu/dispatch-grid.ts";
import type { Grid, Route } from "../../gpu/kernel.ts";
import { F32_MAX_ROWS } from "../shared/halves.ts";
import { defaultRoute, scaleMagnitude, variantName, variantsOf } from "../shared/tunable.ts";
import type { Candidate, Tunable } from "../shared/tunable.ts";
import dotBlocks from "./dot-blocks.wgsl";
import dotWords from "./dot-words.wgsl";
import fallbackSource from "./fallback.wgsl";
import { gemmMatrix } from "./gemm-matrix.ts";
import { takesMatrices } from "./matrix-tiles.ts";
import gemmTiledF16Source from "./gemm-tiled-f16.wgsl";
import { gemmTiled } from "./gemm-tiled.ts";
import gemvSubgroups from "./gemv-subgroups.wgsl";
import gemvWorkgroup from "./gemv-workgroup.wgsl";
import { defineLinear, oneDispatch } from "./linear-kernel.ts";
import type { LinearLive, LinearQ4gswShape } from "./linear-kernel.ts";
import serialSource from "./serial.wgsl";

export { takesMatrices } from "./matrix-tiles.ts";
export type { LinearQ4gswShape } from "./linear-kernel.ts";

type Live = LinearLive;

/**
 * Bounds of the GEMV workgroup where nothing was measured: the lower one is what gemv-workgroup.wgsl
 * needs for its sums; more lanes than the upper one were never faster.
 */
const GEMV_MIN_LANES = 32;
const GEMV_MAX_LANES = 128;

/**
 * Lanes of a whole GEMV that fill a large GPU: about half of what an H200 holds at once. With fewer
 * outputs more lanes share one; with more, each does more before the lanes add up (November 2026:
 * this picks the best of 32, 64 and 128 lanes for eight shapes of 1B and 8B models).
 */
const GEMV_TOTAL_LANES = 2 ** 17;

/** From this many outputs on a workgroup computes four together, sharing what it reads of x. */
const GEMV_MANY_OUTPUTS = 1536;

/** What a device is asked to choose from, if it is asked. */
const GEMV_LANES = [32, 64, 128, 256];
const GEMV_OUTPUTS = [1, 2, 4];

/** Rows and large tiles from which on large tiles pay; fewer leave many of a GPU's cores idle. */
const LARGE_TILE_MIN_ROWS = 33;
const LARGE_TILE_MIN_TILES = 96;

/**
 * Rows of x that a lane of serial.wgsl computes where there are many: each dequantised block serves
 * them all.
 */
const SERIAL_ROWS = 4;
const SERIAL_LANES = 64;

const FALLBACK_LANES = 64;
/** Rows of x that a lane of fallback.wgsl computes. */
const FALLBACK_ROWS = 4;

/** Candidates for many rows are timed with the most of them, and with so many. */
const SHORT_PROMPT = 128;

/** Bytes of workgroup memory gemm-tiled.wgsl takes: two tiles of five vectors a row. */
const gemmStorageBytes = (tile: number): number => 2 * tile * 5 * 16;

/**
 * `et_vk.linear_q4gsw`: out = x · dequantised weightᵀ + bias. Operands x f32 [M, K], weight words of
 * eight nibbles [N, pad8(K) / 8], scales [N, K / groupSize], bias f32 (with `hasBias`), residual f32
 * like out (with `hasResidual`: it is added), out f32 [M, outStride], of which columns outOffset …
 * outOffset + N − 1 are written.
 *
 * On subgroup matrices, more than 32 rows of x and the weights are rounded to f16; x saturates at
 * ±65,504. `restrictCapabilities(…, { subgroupMatrices: false })` keeps to f32.
 */
export function linearQ4gsw(shape: LinearQ4gswShape, capabilities: Capabilities): Route<Live> {
  return defaultRoute(linearQ4gswTunable(shape, capabilities));
}

/**
 * `linearQ4gsw` of x as halves (shared/halves.ts), for shapes and devices that {@link takesMatrices} is
 * true of.
 */
export function linearHalvesQ4gsw(
  shape: LinearQ4gswShape,
  capabilities: Capabilities,
): Route<Live> {
  return matrixCandidate({ ...shape, xHalves: true }, capabilities).route();
}

/** The routes that `linearQ4gsw` has for a shape on a device. */
export function linearQ4gswTunable(
  shape: LinearQ4gswShape,
  capabilities: Capabilities,
): Tunable<Live> {
  const { N, K, groupSize, scaleType, hasBias, hasResidual = false, rows, maxM = 1 } = shape;
  const M = rows === "one" ? 1 : maxM;
  const onMatrices = rows === "many" && takesMatrices(shape, capabilities);
  const parts = [
    `linear_q4gsw N=${N} K=${K} g${groupSize} ${scaleType}`,
    hasBias && "bias",
    hasResidual && "residual",
    rows === "one" ? "M=1" : `M≤${maxM}`,
  ];
  return {
    key: parts.filter(Boolean).join(" "),
    candidates: candidates(shape, capabilities),
    trials: [{ live: { M } }, ...(M > SHORT_PROMPT ? [{ live: { M: SHORT_PROMPT } }] : [])],
    tolerance:
      K <= 4096
        ? { absolute: onMatrices ? 4e-4 : 1e-4, relative: 1e-3 }
        : { absolute: 1e-3, relative: 1e-2 },
    magnitudes: { scales: scaleMagnitude(K) },
  };
}

type Candidates = Tunable<Live>["candidates"];

function candidates(shape: LinearQ4gswShape, capabilities: Capabilities): Candidates {
  const { K, groupSize, rows } = shape;
  const only = (name: string, route: () => Route<Live>): Candidates => [{ name, route }];
  if (capabilities.software && K % 32 === 0 && groupSize % 32 === 0) {
    return only("serial", () => serial(shape, capabilities));
  }
  if (rows === "one" && K % 8 === 0 && groupSize % 8 === 0) return gemvs(shape, capabilities);
  if (rows === "many" && K % 4 === 0 && groupSize % 4 === 0) {
    return takesMatrices(shape, capabilities)
      ? [matrixCandidate(shape, capabilities), ...tiledCandidates(shape, capabilities)]
      : tiledCandidates(shape, capabilities);
  }
  return only("fallback", () => fallback(shape, capabilities));
}

const matrixCandidate = (shape: LinearQ4gswShape, capabilities: Capabilities): Candidate<Live> => ({
  name: "matrix",
  route: () => gemmMatrix(shape, gemmTiled(shape, 32, capabilities), capabilities),
});

function tiledCandidates(shape: LinearQ4gswShape, capabilities: Capabilities): Candidates {
  const candidate = (tile: 32 | 64): Candidate<Live> => ({
    name: `tiled${tile}`,
    route: () => gemmTiled(shape, tile, capabilities),
  });
  const preferred = gemmTile(shape, capabilities);
  if (!fitsLargeTile(capabilities)) return [candidate(preferred)];
  return [
    candidate(preferred),
    candidate(preferred === 64 ? 32 : 64),
    ...halfCandidates(shape, capabilities),
  ];
}

/** Operands rounded to f16, for callers who allow it, where there are no matrices that do the same. */
function halfCandidates(
  shape: LinearQ4gswShape,
  capabilities: Capabilities,
): readonly Candidate<Live>[] {
  const { K, maxM = 1 } = shape;
  const suits = maxM > F32_MAX_ROWS && !takesMatrices(shape, capabilities);
  if (!capabilities.f16 || !suits) return [];
  const tolerance =
    K <= 4096 ? { absolute: 4e-4, relative: 1e-3 } : { absolute: 1e-3, relative: 1e-2 };
  return [{ name: "tiledF16", route: () => gemmTiledF16(shape, capabilities), tolerance }];
}

/** How a GEMV is laid out. */
type GemvVariant = {
  /** Where lanes add up. */
  readonly sums: "subgroups" | "workgroup";
  readonly lanes: number;
  readonly outputs: number;
};

/** Where a group is a whole number of 16-byte blocks, a lane reads one at a time, else a word. */
const readsBlocks = ({ groupSize }: LinearQ4gswShape): boolean => groupSize % 32 === 0;

function gemvs(shape: LinearQ4gswShape, capabilities: Capabilities): Candidates {
  const { N, K } = shape;
  const outputs = N < GEMV_MANY_OUTPUTS ? 2 : 4;
  const loads = K / (readsBlocks(shape) ? 32 : 8);
  const { atLeast, atMost } = gemvLaneLimits(capabilities);
  const preferred: GemvVariant = {
    sums: capabilities.subgroups === undefined ? "workgroup" : "subgroups",
    lanes: gemvLanes(divideCeil(N, outputs), loads, capabilities),
    outputs,
  };
  const [first, ...others] = variantsOf<GemvVariant>(preferred, {
    sums: [preferred.sums],
    lanes: GEMV_LANES.filter(
      (lanes) => lanes >= atLeast && lanes <= atMost && lanes <= Math.max(loads, preferred.lanes),
    ),
    outputs: GEMV_OUTPUTS,
  });
  const candidate = (variant: GemvVariant): Candidate<Live> => ({
    name: variantName(variant),
    route: () => gemv(shape, variant, capabilities),
  });
  return [candidate(first), ...others.map(candidate)];
}

/** One row: a workgroup a few outputs, its lanes along K. */
function gemv(
  shape: LinearQ4gswShape,
  { sums, lanes, outputs }: GemvVariant,
  capabilities: Capabilities,
): Route<Live> {
  const { N, groupSize } = shape;
  const inBlocks = readsBlocks(shape);
  const name = `gemv_${sums}`;
  const kernel = defineLinear(shape, name, {
    parts: [inBlocks ? dotBlocks : dotWords, sums === "subgroups" ? gemvSubgroups : gemvWorkgroup],
    constants: {
      OUTPUTS: outputs,
      ...(inBlocks ? { BLOCKS_PER_GROUP: groupSize / 32 } : { WORDS_PER_GROUP: groupSize / 8 }),
    },
    overrides: { WORKGROUP_SIZE: lanes },
  });
  const grid: Grid = [clampWorkgroupCount(divideCeil(N, outputs), capabilities), 1, 1];
  return oneDispatch(shape, name, kernel, () => grid);
}

/** A workgroup smaller than a subgroup would leave some of its lanes idle. */
function gemvLaneLimits({ subgroups, limits }: Capabilities) {
  return {
    atLeast: Math.max(GEMV_MIN_LANES, subgroups?.minSize ?? 0),
    atMost: Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX),
  };
}

/** Lanes a workgroup: a power of two, not more than there are loads along K. */
function gemvLanes(workgroups: number, loads: number, capabilities: Capabilities): number {
  const wanted = 2 ** Math.floor(Math.log2(Math.min(GEMV_TOTAL_LANES / workgroups, loads)));
  const { atLeast, atMost } = gemvLaneLimits(capabilities);
  return Math.min(Math.max(wanted, atLeast), GEMV_MAX_LANES, atMost);
}

/** Many rows in half precision; few live ones in f32. One of the dispatches has workgroups. */
function gemmTiledF16(shape: LinearQ4gswShape, capabilities: Capabilities): Route<Live> {
  const { N, groupSize } = shape;
  const name = "gemm_tiled_f16";
  const kernel = defineLinear(shape, name, {
    parts: [gemmTiledF16Source],
    constants: { QUADS_PER_GROUP: groupSize / 4 },
  });
  const few = gemmTiled(shape, 32, capabilities);
  const many = oneDispatch(shape, name, kernel, ({ M }) =>
    foldWorkgroupCount(divideCeil(M, 128) * divideCeil(N, 64), capabilities),
  );
  const when = (isFew: boolean, { dispatches }: Route<Live>) =>
    dispatches.map((dispatch) => ({
      ...dispatch,
      grid: (live: Live): Grid =>
        live.M <= F32_MAX_ROWS === isFew ? dispatch.grid(live) : NO_WORKGROUPS,
    }));
  return { name, scratch: {}, dispatches: [...when(true, few), ...when(false, many)] };
}

const fitsLargeTile = ({ limits }: Capabilities): boolean =>
  limits.maxComputeInvocationsPerWorkgroup >= 256 &&
  limits.maxComputeWorkgroupSizeX >= 256 &&
  limits.maxComputeWorkgroupStorageSize >= gemmStorageBytes(64);

/** The large tile where the device can hold it and the largest call has work for it. */
function gemmTile({ N, maxM = Infinity }: LinearQ4gswShape, capabilities: Capabilities): 32 | 64 {
  const pays =
    maxM >= LARGE_TILE_MIN_ROWS && divideCeil(maxM, 64) * divideCeil(N, 64) >= LARGE_TILE_MIN_TILES;
  return fitsLargeTile(capabilities) && pays ? 64 : 32;
}

/** On a CPU, where barriers cost more than lanes working together save. */
function serial(shape: LinearQ4gswShape, capabilities: Capabilities): Route<Live> {
  const { N, groupSize } = shape;
  const rows = shape.rows === "one" ? 1 : SERIAL_ROWS;
  const kernel = defineLinear(shape, "serial", {
    parts: [serialSource],
    constants: { ROWS: rows, BLOCKS_PER_GROUP: groupSize / 32 },
    overrides: { WORKGROUP_SIZE: SERIAL_LANES },
  });
  return oneDispatch(shape, "serial", kernel, ({ M }) => {
    const workgroups = divideCeil(N * divideCeil(M, rows), SERIAL_LANES);
    return [clampWorkgroupCount(workgroups, capabilities), 1, 1];
  });
}

/** Any shape: a lane a few rows of one output. */
function fallback(shape: LinearQ4gswShape, capabilities: Capabilities): Route<Live> {
  const { N, groupSize } = shape;
  const kernel = defineLinear(shape, "fallback", {
    parts: [fallbackSource],
    constants: { GROUP_SIZE: groupSize },
    overrides: { WORKGROUP_SIZE: FALLBACK_LANES },
  });
  return oneDispatch(shape, "fallback", kernel, ({ M }) =>
    elementwiseGrid(N * divideCeil(M, FALLBACK_ROWS), FALLBACK_LANES, capabilities),
  );
}
