import type { StatedWork } from "../../gpu/work.ts";

/** What is fixed about a call of `sdpa_with_kv_cache`. */
export interface SdpaShape {
  /** Query heads, Hq; a multiple of the key heads. */
  readonly heads: number;
  /** Key and value heads, Hkv. */
  readonly kvHeads: number;
  /** Values a head, D: a multiple of 4 up to 256. */
  readonly headSize: number;
  /** Positions the caches hold. */
  readonly cacheLength: number;
  readonly cacheType: "f32" | "f16";
  readonly scale: number;
  /** "one": S is always 1 (a decode step). "many": any S. */
  readonly rows: "one" | "many";
  /** Largest S of a run. */
  readonly maxS?: number;
}

/**
 * Live sizes of a run. `position` is what the CPU knows of the position, used for grids alone: the
 * kernels read `input_pos`, and are right wherever it stands.
 */
export interface SdpaLive {
  readonly S: number;
  readonly position: number;
}

/** Bytes of `positions` rows of one cache. */
export function cacheBytes({ kvHeads, headSize, cacheType }: SdpaShape, positions: number): number {
  return positions * kvHeads * headSize * (cacheType === "f16" ? 2 : 4);
}

/** Scores and weighted sums of S query rows over the context up to each, read once. */
export function attentionWork(shape: SdpaShape, { S, position }: SdpaLive): StatedWork {
  const { heads, headSize } = shape;
  const pairs = S * position + (S * (S + 1)) / 2;
  const cache = cacheBytes(shape, position + S);
  return {
    operations: 4 * heads * headSize * pairs,
    bytes: { k_cache: cache, v_cache: cache },
    shape: `${heads} × ${headSize}`,
  };
}
