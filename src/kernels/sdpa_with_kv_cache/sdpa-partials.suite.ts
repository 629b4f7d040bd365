import { defaultRoute } from "../shared/tunable.ts";
import { defineSuite } from "../testing/suite.ts";
import type { KernelCase } from "../testing/suite.ts";
import type { SdpaLive } from "./sdpa-shape.ts";
import { partialSizesInBytes, sdpaSplits, splitStarts } from "./sdpa-splits.ts";
import { loadCache, sdpaInputs, sdpaShape, storeCache } from "./sdpa-with-kv-cache.cases.ts";
import type { CacheType } from "./sdpa-with-kv-cache.cases.ts";
import { sdpaPartialsReference } from "./sdpa-with-kv-cache.reference.ts";
import { sdpaPartialsTunable } from "./sdpa-with-kv-cache.ts";

function partialsCase(
  [heads, kvHeads, headSize, cacheLength, position]: readonly [
    heads: number,
    kvHeads: number,
    headSize: number,
    cacheLength: number,
    position: number,
  ],
  cacheType: CacheType,
  append: boolean,
  sweep?: true,
): KernelCase<SdpaLive> {
  const sizes = { heads, kvHeads, headSize, cacheLength, position };
  const config = { name: "partials", S: 1, random: 1, ...sizes };
  const shape = { ...sdpaShape(config, cacheType, "one"), append };
  const starts = splitStarts(sdpaSplits(shape).at(position));
  const inputs = () => {
    const { q, k, v, kCache, vCache } = sdpaInputs(config, cacheType);
    const at = position * kvHeads * headSize;
    const after = { kCache: kCache.slice(), vCache: vCache.slice() };
    after.kCache.set(k, at);
    after.vCache.set(v, at);
    // As they are rounded: what is left is the kernel's own.
    const stored = (cache: Float32Array) => storeCache(cache, cacheType);
    const rounded = (cache: Float32Array) =>
      loadCache(stored(cache).buffer as ArrayBuffer, cacheType);
    const before = append ? { kCache, vCache } : after;
    return {
      q,
      ...(append ? { k, v } : {}),
      k_cache: stored(before.kCache),
      v_cache: stored(before.vCache),
      reference: { kCache: rounded(after.kCache), vCache: rounded(after.vCache) },
    };
  };
  return {
    name: `${heads}/${kvHeads}x${headSize} C${cacheLength} at ${position} ${cacheType} ${append ? "with k and v" : "over caches"}`,
    route: (capabilities) => defaultRoute(sdpaPartialsTunable(shape, capabilities)),
    expectRoute: ({ subgroups }) =>
      subgroups === undefined ? "sdpa_split_partials" : "sdpa_split_subgroup_partials",
    live: { S: 1, position },
    operands: () => {
      const { reference: _, ...operands } = inputs();
      const bytes = partialSizesInBytes(shape, cacheType, starts.length);
      return {
        ...operands,
        input_pos: Int32Array.of(position),
        partial_out: { bytes: bytes.partial_out },
        partial_stats: { bytes: bytes.partial_stats },
      };
    },
    expected: () => {
      const { q, reference } = inputs();
      const input = { ...sizes, scale: shape.scale, q, ...reference };
      const { partial_out, partial_stats } = sdpaPartialsReference(input, starts);
      return {
        partial_out: { type: cacheType, values: partial_out },
        partial_stats: { type: "f32", values: partial_stats },
      };
    },
    tolerance: { absolute: 1e-4, relative: 1e-3 },
    ...(sweep === undefined ? {} : { sweep }),
  };
}

/** What goes from attention to its projection, in the default layout: others are among sdpa_with_kv_cache's. */
export const sdpaPartialsSuite = defineSuite("sdpa_partials", [
  partialsCase([32, 8, 64, 256, 200], "f16", false),
  partialsCase([8, 2, 128, 512, 300], "f16", false),
  partialsCase([7, 1, 64, 256, 130], "f16", true, true),
  partialsCase([6, 2, 40, 200, 64], "f16", true),
  // Long splits: even but for the rest, which is one more, and some longer by a step
  partialsCase([66, 33, 64, 1200, 1100], "f16", false, true),
  partialsCase([44, 22, 64, 1800, 1700], "f32", true, true),
  partialsCase([6, 2, 40, 200, 63], "f32", true, true),
  partialsCase([4, 4, 8, 64, 0], "f32", false, true),
]);
