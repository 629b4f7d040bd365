import type { Capabilities } from "../../gpu/capabilities.ts";
import { divideCeil, foldWorkgroupCount } from "../../gpu/dispatch-grid.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { Kernel, Route } from "../../gpu/kernel.ts";
import { variantName, variantsOf } from "../shared/tunable.ts";
import type { Candidate, Tunable } from "../shared/tunable.ts";
import { cacheQuadSource } from "./cache-quad.ts";
import reduceSource from "./sdpa-reduce.wgsl";
import splitSubgroupSource from "./sdpa-split-subgroup.wgsl";
import splitWorkgroupSource from "./sdpa-split-workgroup.wgsl";
import splitSource from "./sdpa-split.wgsl";
import { attentionWork } from "./sdpa-shape.ts";
import type { SdpaLive, SdpaShape } from "./sdpa-shape.ts";

/** How the first step is laid out. */
type SplitVariant = {
  /** Lanes that share a position, a power of two. */
  readonly team: number;
  /** Positions a team takes at a time. */
  readonly depth: number;
  /** Fewest positions worth a workgroup of their own. */
  readonly positions: number;
};

/** Where nothing was measured. */
const POSITIONS_PER_SPLIT = 32;
/** Workgroups that fill a large GPU; more splits only make the second step longer. */
const ENOUGH_WORKGROUPS = 512;
/** As `sdpa-reduce.wgsl` says. */
const MAX_SPLITS = 64;
/** Lanes that share a position: 16 read 256 bytes of an f32 cache at once. */
const MAX_TEAM = 16;
/** Quads of query, and as many of output, that a lane can hold in registers. */
const MAX_ITEMS = 16;
const MAX_HEADS = 8;
const MAX_SCORES = 16;
const MAX_DEPTH = 2;

/** What a device is asked to choose from, if it is asked. */
const TEAMS = [4, 8, 16];
const DEPTHS = [1, 2, 4];
const POSITIONS = [16, 32, 64, 128];

/** The largest divisor of `n` that is at most `limit`, which is at least 1. */
function largestDivisor(n: number, limit: number): number {
  let divisor = Math.max(1, Math.min(n, Math.floor(limit)));
  while (n % divisor !== 0) divisor -= 1;
  return divisor;
}

/** Lanes of a workgroup made of whole subgroups, or undefined where that is not possible. */
function subgroupWorkgroupSize({ subgroups, limits }: Capabilities): number | undefined {
  if (subgroups === undefined) return undefined;
  const size = Math.max(64, subgroups.maxSize);
  const most = Math.min(limits.maxComputeInvocationsPerWorkgroup, 128);
  return size <= most ? size : undefined;
}

/** Query heads a lane can hold at a time. */
function headsAtATime({ heads, kvHeads, headSize }: SdpaShape, team: number): number {
  const quads = divideCeil(headSize / 4, team);
  return largestDivisor(heads / kvHeads, Math.min(MAX_HEADS, MAX_ITEMS / quads));
}

/** The layouts a device can run, the one for unmeasured devices first. */
function splitVariants(
  shape: SdpaShape,
  capabilities: Capabilities,
): readonly [SplitVariant, ...SplitVariant[]] {
  const bySubgroups = subgroupWorkgroupSize(capabilities) !== undefined;
  const minSubgroup = capabilities.subgroups?.minSize ?? 1;
  const team = bySubgroups ? Math.min(MAX_TEAM, minSubgroup) : MAX_TEAM;
  const deepest = (size: number) => Math.floor(MAX_SCORES / headsAtATime(shape, size));
  const preferred: SplitVariant = {
    team,
    depth: Math.min(MAX_DEPTH, deepest(team)),
    positions: POSITIONS_PER_SPLIT,
  };
  const [first, ...others] = variantsOf<SplitVariant>(preferred, {
    team: TEAMS.filter((size) => size <= team),
    depth: DEPTHS,
    positions: POSITIONS,
  });
  return [first, ...others.filter(({ team: size, depth }) => depth <= deepest(size))];
}

function splitKernel(
  shape: SdpaShape,
  { team, depth }: SplitVariant,
  capabilities: Capabilities,
): Kernel {
  const subgroupSize = subgroupWorkgroupSize(capabilities);
  return defineKernel({
    label: subgroupSize === undefined ? "sdpa_split" : "sdpa_split_subgroup",
    parts: [
      cacheQuadSource(shape.cacheType),
      subgroupSize === undefined ? splitWorkgroupSource : splitSubgroupSource,
      splitSource,
    ],
    constants: {
      HEADS: headsAtATime(shape, team),
      TEAM: team,
      QUADS: divideCeil(shape.headSize / 4, team),
      DEPTH: depth,
    },
    overrides: { WORKGROUP_SIZE: subgroupSize ?? 64 },
  });
}

/** The routes for one query row. */
export function splitCandidates(
  shape: SdpaShape,
  capabilities: Capabilities,
): Tunable<SdpaLive>["candidates"] {
  const candidate = (variant: SplitVariant): Candidate<SdpaLive> => ({
    name: variantName(variant),
    route: () => splitRoute(shape, variant, capabilities),
  });
  const [first, ...others] = splitVariants(shape, capabilities);
  return [candidate(first), ...others.map(candidate)];
}

/**
 * One query row: the context is split over workgroups, and a second dispatch joins the splits. How
 * many there are follows the position the CPU knows; they share whatever context the GPU finds.
 */
function splitRoute(
  shape: SdpaShape,
  variant: SplitVariant,
  capabilities: Capabilities,
): Route<SdpaLive> {
  const { heads, kvHeads, headSize, cacheLength, scale } = shape;
  const { positions } = variant;
  const kernel = splitKernel(shape, variant, capabilities);
  const maxSplits = Math.min(
    MAX_SPLITS,
    divideCeil(ENOUGH_WORKGROUPS, kvHeads),
    divideCeil(cacheLength, positions),
  );
  const splitsAt = (position: number) =>
    Math.max(1, Math.min(maxSplits, divideCeil(position + 1, positions)));
  const partialBytes = ({ position }: SdpaLive) => ({
    partial_out: 4 * heads * splitsAt(position) * headSize,
    partial_stats: 8 * heads * splitsAt(position),
  });
  return {
    name: kernel.label,
    scratch: {
      partial_out: 4 * heads * maxSplits * headSize,
      partial_stats: 8 * heads * maxSplits,
    },
    dispatches: [
      {
        kernel,
        bind: {
          partial_out: "partial_out",
          partial_stats: "partial_stats",
          k_cache: "k_cache",
          v_cache: "v_cache",
          q: "q",
          k: "k",
          v: "v",
          input_pos: "input_pos",
        },
        params: ({ position }) => ({
          kv_heads: kvHeads,
          group: heads / kvHeads,
          head_quads: headSize / 4,
          splits: splitsAt(position),
          cache_length: cacheLength,
          scale,
        }),
        grid: ({ position }) => foldWorkgroupCount(kvHeads * splitsAt(position), capabilities),
        work: (live) => {
          const { bytes, ...work } = attentionWork(shape, live);
          return { ...work, bytes: { ...bytes, ...partialBytes(live) } };
        },
      },
      {
        kernel: defineKernel({
          label: "sdpa_reduce",
          parts: [reduceSource],
        }),
        bind: { out: "out", partial_out: "partial_out", partial_stats: "partial_stats" },
        params: ({ position }) => ({ heads, head_quads: headSize / 4, splits: splitsAt(position) }),
        grid: () => foldWorkgroupCount(heads, capabilities),
        work: (live) => ({ bytes: partialBytes(live) }),
      },
    ],
  };
}
