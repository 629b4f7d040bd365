import { UnsupportedError } from "../../errors.ts";
import type { Capabilities } from "../../gpu/capabilities.ts";
import type { Route } from "../../gpu/kernel.ts";
import { defaultRoute } from "../shared/tunable.ts";
import type { Trial, Tunable } from "../shared/tunable.ts";
import type { SdpaLive, SdpaShape } from "./sdpa-shape.ts";
import { splitCandidates } from "./sdpa-split.ts";
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
  const { heads, kvHeads, headSize, cacheLength, cacheType, rows, maxS = 1 } = shape;
  const S = rows === "one" ? 1 : Math.min(maxS, cacheLength);
  const ending = (length: number): Trial<SdpaLive> => {
    const position = Math.max(0, length - S);
    return { live: { S, position }, ints: { input_pos: position } };
  };
  return {
    key:
      `sdpa_with_kv_cache heads=${heads}/${kvHeads} D=${headSize} C=${cacheLength} ${cacheType} ` +
      (rows === "one" ? "S=1" : `S≤${maxS}`),
    candidates:
      rows === "one"
        ? splitCandidates(shape, capabilities)
        : [{ name: "stream", route: () => streamRoute(shape, capabilities) }],
    // Most texts are far shorter than the cache, and the longest take longest.
    trials: [ending(Math.ceil(cacheLength / 8)), ending(cacheLength)],
    // All read the same rounded cache.
    tolerance: { absolute: 1e-4, relative: 1e-3 },
  };
}
