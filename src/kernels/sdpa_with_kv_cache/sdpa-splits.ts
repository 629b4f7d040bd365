/** How attention of one query row is split over workgroups, and what the splits leave. */
import { divideCeil } from "../../gpu/dispatch-grid.ts";
import { LARGE_GPU_MULTIPROCESSORS } from "../shared/large-gpu.ts";
import type { SdpaLive, SdpaShape } from "./sdpa-shape.ts";

/** Fewest positions worth a workgroup of their own. */
const STEP = 64;
/** Steps of a workgroup from which on it has twice the lanes. */
const MANY_STEPS = 5;
/** The steps that it has then. */
export const LONG_STEP = 2 * STEP;
/** Long steps from which on work had better be even than on few workgroups, whose results are joined sooner. */
const EVEN_STEPS = 4;
/** Values of all queries of a key head up to which a multiprocessor has registers for twice the lanes. */
const MAX_WIDE_GROUP = 256;
/** As `sdpa-reduce.wgsl` says. */
const MAX_SPLITS = 64;

/** The splits at a position. */
interface SplitsAt {
  readonly splits: number;
  /** Positions of a split; the first `longer` ones have `step` more. */
  readonly length: number;
  readonly longer: number;
  readonly step: number;
}

/** How the context of one query row is split over workgroups. */
export interface SdpaSplits {
  /** Splits at most: what `partial_out` and `partial_stats` have room for. */
  readonly most: number;
  /** Follows what the CPU knows of the position, which may be old, or beyond the cache. */
  readonly at: (position: number) => SplitsAt;
}

/** `steps` steps as evenly as can be. */
const divided = (steps: number, splits: number, step: number): SplitsAt => ({
  splits,
  length: step * Math.floor(steps / splits),
  longer: steps % splits,
  step,
});

/**
 * The splits of a cache. The fewer there are, the sooner they are joined: one workgroup a multiprocessor of a
 * large GPU, with as many lanes as it holds. Where there are not registers for that, two share one.
 */
export function sdpaSplits({
  heads,
  kvHeads,
  headSize,
  cacheLength,
}: Pick<SdpaShape, "heads" | "kvHeads" | "headSize" | "cacheLength">): SdpaSplits {
  const isWide = (heads / kvHeads) * headSize <= MAX_WIDE_GROUP;
  const workgroups = (isWide ? 1 : 2) * LARGE_GPU_MULTIPROCESSORS;
  // One is left for a rest.
  const enough = Math.min(MAX_SPLITS - 1, Math.max(1, Math.floor(workgroups / kvHeads)));
  const most = Math.min(isWide ? enough + 1 : enough, divideCeil(cacheLength, STEP));
  return {
    most,
    at: (position) => {
      const context = Math.min(position + 1, cacheLength);
      const short = divideCeil(context, STEP);
      const each = divideCeil(short, enough);
      if (!isWide || each < MANY_STEPS) return divided(short, divideCeil(short, each), STEP);
      const steps = divideCeil(context, LONG_STEP);
      // A workgroup with a single step is done before the others, even if it has to wait for a place.
      if (steps % enough === 1) {
        const length = LONG_STEP * Math.floor(steps / enough);
        return { splits: enough + 1, length, longer: 0, step: LONG_STEP };
      }
      const longest = divideCeil(steps, enough);
      const splits = longest < EVEN_STEPS ? divideCeil(steps, longest) : enough;
      return divided(steps, splits, LONG_STEP);
    },
  };
}

/** Where the splits of a position begin. */
export function splitStarts({ splits, length, longer, step }: SplitsAt): number[] {
  return Array.from(
    { length: splits },
    (_, split) => split * length + step * Math.min(split, longer),
  );
}

/** Elements of `partial_out` and `partial_stats` for so many splits. */
export const partialSizes = (
  { heads, headSize }: Pick<SdpaShape, "heads" | "headSize">,
  splits: number,
) => ({ partial_out: heads * splits * headSize, partial_stats: 2 * heads * splits });

/** Bytes of the same, with `partial_out` of that type. */
export function partialSizesInBytes(
  shape: Pick<SdpaShape, "heads" | "headSize">,
  type: "f16" | "f32",
  splits: number,
): Readonly<Record<"partial_out" | "partial_stats", number>> {
  const sizes = partialSizes(shape, splits);
  return {
    partial_out: (type === "f16" ? 2 : 4) * sizes.partial_out,
    partial_stats: 4 * sizes.partial_stats,
  };
}

/** Bytes of the partial results at a position. */
export function partialBytes(
  shape: Pick<SdpaShape, "heads" | "kvHeads" | "headSize" | "cacheLength">,
  type: "f16" | "f32",
  { position }: Pick<SdpaLive, "position">,
): Readonly<Record<"partial_out" | "partial_stats", number>> {
  return partialSizesInBytes(shape, type, sdpaSplits(shape).at(position).splits);
}
