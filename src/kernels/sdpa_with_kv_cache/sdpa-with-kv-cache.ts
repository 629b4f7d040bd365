import { UnsupportedError } from "../../errors.ts";
import type { Capabilities } from "../../gpu/capabilities.ts";
import type { Route } from "../../gpu/kernel.ts";
import { defaultRoute } from "../shared/tunable.ts";
import type { Candidate, Trial, Tunable } from "../shared/tunable.ts";
import { matrixRoute, sdpaMatrixTile } from "./sdpa-matrix.ts";
import type { SdpaLive, SdpaShape } from "./sdpa-shape.ts";
import { partialCandidates, splitCandidates } from "./sdpa-split.ts";
import { streamRoute } from "./sdpa-stream.ts";

export type { SdpaLive, SdpaShape } from "./sdpa-shape.ts";

const MAX_HEAD_SIZE = 256;

function checkShape({ heads, kvHeads, headSize, rows, maxS }: SdpaShape): void {
  if (headSize % 4 !== 0 || headSize < 4 || headSize > MAX_HEAD_SIZE) {
    throw new UnsupportedError(
      `sdpa_with_kv_cache: head size ${headSize}; supported: multiples of 4 up to ${MAX_HEAD_SIZE}`,
    );
  }
  if (kvHeads < 1 || heads < 1 || heads % kvHeads !== 0) {
    throw new UnsupportedError(
      `sdpa_with_kv_cache: ${heads} query heads for ${kvHeads} key heads; supported: multiples`,
    );
  }
  if (rows === "one" && maxS !== undefined && maxS !== 1) {
    throw new UnsupportedError(
      `sdpa_with_kv_cache: up to ${maxS} rows on the route for one; supported: 1`,
    );
  }
}

/**
 * `sdpa_with_kv_cache`: writes k and v f32 [S, Hkv, D] to rows [p, p + S) of k_cache and v_cache
 * [cacheLength, Hkv, D] (f32, or f16 two to a word), p = input_pos i32 [1]; then query row s of q
 * f32 [S, Hq, D] attends to cache rows up to p + s, head h to key head ⌊h / (Hq / Hkv)⌋, with a
 * softmax of scale · q·k, into out f32 [S, Hq, D]. Throws `UnsupportedError` for other shapes.
 */
export function sdpaWithKvCache(shape: SdpaShape, capabilities: Capabilities): Route<SdpaLive> {
  return defaultRoute(sdpaWithKvCacheTunable(shape, capabilities));
}

/** The routes that `sdpaWithKvCache` has for a shape on a device. */
export function sdpaWithKvCacheTunable(
  shape: SdpaShape,
  capabilities: Capabilities,
): Tunable<SdpaLive> {
  checkShape(shape);
  const { rows, maxS = 1 } = shape;
  return attentionTunable(
    "sdpa_with_kv_cache",
    shape,
    rows === "one" ? "S=1" : `S≤${maxS}`,
    rows === "one" ? splitCandidates(shape, capabilities) : [manyRows(shape, capabilities)],
  );
}

/** The first step of attention of one query row. */
export interface SdpaPartialsShape extends SdpaShape {
  /** k and v f32 [Hkv, D] are stored first; otherwise the caches hold the row's own already. */
  readonly append: boolean;
}

/**
 * The routes for `tetrad.sdpa_partials`: attention of one query row, left in splits. Operands q f32 [Hq,
 * D], k and v with `append`, k_cache and v_cache, input_pos; partial_out [Hq, splits, D] of the
 * caches' type: attention over each split's positions alone; partial_stats f32 [splits, Hq, 2]: maximum of the scores times log2(e), sum of
 * exp2(score − maximum). Throws `UnsupportedError` as `sdpaWithKvCache` does.
 */
export function sdpaPartialsTunable(
  shape: SdpaPartialsShape,
  capabilities: Capabilities,
): Tunable<SdpaLive> {
  checkShape(shape);
  const key = shape.append ? "with k and v" : "over caches";
  const candidates = partialCandidates(shape, shape.append, capabilities);
  return attentionTunable("sdpa_partials", shape, key, candidates);
}

function attentionTunable(
  operator: string,
  shape: SdpaShape,
  kind: string,
  candidates: Tunable<SdpaLive>["candidates"],
): Tunable<SdpaLive> {
  const { heads, kvHeads, headSize, cacheLength, cacheType, rows, maxS = 1 } = shape;
  const S = rows === "one" ? 1 : Math.min(maxS, cacheLength);
  const ending = (length: number): Trial<SdpaLive> => {
    const position = Math.max(0, length - S);
    return { live: { S, position }, ints: { input_pos: position } };
  };
  return {
    key: `${operator} heads=${heads}/${kvHeads} D=${headSize} C=${cacheLength} ${cacheType} ${kind}`,
    candidates,
    // Most texts are far shorter than the cache, and the longest take longest.
    trials: [ending(Math.ceil(cacheLength / 8)), ending(cacheLength)],
    // All read the same rounded cache, and two neighbours of f16 are no more than 2^-10 apart.
    tolerance: { absolute: 1e-4, relative: 1e-3 },
  };
}

/** The one way for many rows. */
function manyRows(shape: SdpaShape, capabilities: Capabilities): Candidate<SdpaLive> {
  const tile = sdpaMatrixTile(shape, capabilities);
  return tile === undefined
    ? { name: "stream", route: () => streamRoute(shape, capabilities) }
    : { name: "matrix", route: () => matrixRoute(shape, tile, capabilities) };
}
