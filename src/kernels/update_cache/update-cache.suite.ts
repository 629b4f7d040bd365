import { restrictCapabilities } from "../../gpu/capabilities.ts";
import { f32ToF16 } from "../../quant/f16.ts";
import { ramp } from "../testing/data.ts";
import { defineSuite } from "../testing/suite.ts";
import type { KernelCase } from "../testing/suite.ts";
import { updateCacheReference } from "./update-cache.reference.ts";
import { updateCache } from "./update-cache.ts";

type Live = { readonly S: number };

/** S positions of [heads, headSize] written at `position` of a cache that must otherwise stay. */
function updateCacheCase(
  name: string,
  [S, heads, headSize, cacheLength, position]: readonly [number, number, number, number, number],
  cacheType: "f32" | "f16" = "f32",
  maxWorkgroups = 65535,
): KernelCase<Live> {
  const row = heads * headSize;
  const value = ramp(S * row, 17, 8, 16);
  const cache = ramp(cacheLength * row, 7, 3, 16);
  const limits = { maxComputeWorkgroupsPerDimension: maxWorkgroups };
  return {
    name: `${name} ${S}x${heads}x${headSize} C${cacheLength} at ${position} ${cacheType}`,
    route: (capabilities) =>
      updateCache(
        { heads, headSize, cacheLength, cacheType },
        restrictCapabilities(capabilities, { limits }),
      ),
    expectRoute: () => `update_cache_${cacheType}`,
    live: { S },
    operands: () => ({
      value,
      cache: cacheType === "f16" ? f32ToF16(cache) : cache,
      input_pos: Int32Array.of(position),
    }),
    expected: () => {
      // Rows that fall outside the cache are dropped.
      const written = Math.max(0, Math.min(S, position < 0 ? 0 : cacheLength - position));
      const kept = value.subarray(0, written * row);
      const values = updateCacheReference(cache, kept, Math.max(0, position), row);
      return { cache: { type: cacheType, values } };
    },
    // The ramps are exact in both types.
    tolerance: { absolute: 0, relative: 0 },
  };
}

/** ExecuTorch's own configurations, then an f16 cache, odd sizes, edges and a folded grid. */
export const updateCacheSuite = defineSuite("update_cache", [
  ...(["f32", "f16"] as const).flatMap((type) => [
    updateCacheCase("prefill", [2, 2, 4, 8, 0], type),
    updateCacheCase("offset", [2, 2, 4, 8, 5], type),
    updateCacheCase("shape_b", [3, 4, 8, 16, 0], type),
    updateCacheCase("shape_b_offset", [3, 4, 8, 16, 10], type),
    updateCacheCase("llama3", [111, 8, 128, 256, 57], type),
    updateCacheCase("one row", [1, 8, 64, 40, 39], type),
    updateCacheCase("pairs", [5, 3, 6, 12, 7], type),
    updateCacheCase("folded grid", [50, 3, 10, 64, 3], type, 6),
    updateCacheCase("past the end", [4, 2, 4, 8, 6], type),
    updateCacheCase("outside", [2, 2, 4, 8, 8], type),
    updateCacheCase("before the cache", [2, 2, 4, 8, -1], type),
  ]),
  updateCacheCase("odd head", [5, 3, 5, 12, 7]),
]);
