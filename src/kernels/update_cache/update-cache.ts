import { UnsupportedError } from "../../errors.ts";
import type { Capabilities } from "../../gpu/capabilities.ts";
import { elementwiseGrid } from "../../gpu/dispatch-grid.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { Route } from "../../gpu/kernel.ts";
import invocationIndex from "../shared/invocation-index.wgsl";
import sourceF16 from "./update-cache-f16.wgsl";
import sourceF32 from "./update-cache-f32.wgsl";

/** What is fixed about a call of `update_cache`. */
export interface UpdateCacheShape {
  /** Heads a position, H. */
  readonly heads: number;
  /** Values a head, D; even where the cache is f16. */
  readonly headSize: number;
  /** Positions the cache holds. */
  readonly cacheLength: number;
  readonly cacheType: "f32" | "f16";
}

const WORKGROUP_SIZE = 64;

/**
 * `update_cache`: copies value f32 [S, H, D] to rows [input_pos, input_pos + S) of cache
 * [cacheLength, H, D], f32 or f16 (two to a word). `input_pos` is an i32 buffer [1], read when the
 * kernel runs. Rows outside the cache are dropped.
 */
export function updateCache(
  { heads, headSize, cacheLength, cacheType }: UpdateCacheShape,
  capabilities: Capabilities,
): Route<{ readonly S: number }> {
  const perWord = cacheType === "f16" ? 2 : 1;
  if (headSize % perWord !== 0) {
    throw new UnsupportedError(
      `update_cache: head size ${headSize} with an f16 cache; supported: even head sizes`,
    );
  }
  const row = (heads * headSize) / perWord;
  const name = `update_cache_${cacheType}`;
  return {
    name,
    scratch: {},
    dispatches: [
      {
        kernel: defineKernel({
          label: name,
          parts: [invocationIndex, cacheType === "f16" ? sourceF16 : sourceF32],
          overrides: { WORKGROUP_SIZE },
        }),
        bind: { cache: "cache", value: "value", input_pos: "input_pos" },
        params: ({ S }) => ({ count: S * row, row, cache_length: cacheLength }),
        grid: ({ S }) => elementwiseGrid(S * row, WORKGROUP_SIZE, capabilities),
        work: ({ S }) => ({ bytes: { cache: 4 * S * row } }),
      },
    ],
  };
}
