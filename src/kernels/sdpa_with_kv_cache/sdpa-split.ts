import type { Capabilities } from "../../gpu/capabilities.ts";
import { divideCeil, foldWorkgroupCount, NO_WORKGROUPS } from "../../gpu/dispatch-grid.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { DispatchTemplate, Kernel, Route } from "../../gpu/kernel.ts";
import { variantName, variantsOf } from "../shared/tunable.ts";
import type { Candidate, Tunable } from "../shared/tunable.ts";
import { mostLanes } from "../shared/workgroup-lanes.ts";
import { cacheQuadSource } from "./cache-quad.ts";
import partialQuadCache from "./partial-quad-cache.wgsl";
import partialQuadF32 from "./partial-quad-f32.wgsl";
import reduceSource from "./sdpa-reduce.wgsl";
import splitSubgroupSource from "./sdpa-split-subgroup.wgsl";
import splitWorkgroupSource from "./sdpa-split-workgroup.wgsl";
import splitSource from "./sdpa-split.wgsl";
import { attentionWork } from "./sdpa-shape.ts";
import type { SdpaLive, SdpaShape } from "./sdpa-shape.ts";
import { LONG_STEP, partialBytes, partialSizesInBytes, sdpaSplits } from "./sdpa-splits.ts";

/** How the workgroups of the first step are laid out. */
type SplitVariant = {
  /** Lanes a workgroup; twice as many where splits are long. */
  readonly lanes: number;
  /** Lanes that share a position, a power of two. */
  readonly team: number;
  /** Positions a team takes at a time. */
  readonly depth: number;
};

/** Where nothing was measured: long contexts need many loads under way. */
const PREFERRED_LANES = 256;
/** Where a lane holds more quads than this of query, and as many of output, registers are too few for that. */
const ITEMS_OF_PREFERRED_LANES = 8;
const SOFTWARE_LANES = 64;
/** Quads of a head that a lane had better hold: 8 lanes then share a position of D = 64. */
const PREFERRED_QUADS = 2;
/** They add up through workgroup memory. */
const TEAM_WITHOUT_SUBGROUPS = 8;
/**
 * Lanes that share a position, to positions that they take at a time: so that each subgroup has as many
 * loads under way whatever D is.
 */
const TEAM_PER_DEPTH = 4;
/** Quads of query, and as many of output, that a lane can hold in registers. */
const MAX_ITEMS = 16;
const MAX_HEADS = 8;
/** Scores, and quads of keys and of values, of the positions a lane takes at a time. */
const MAX_SCORES = 16;
const MAX_LOADS = 16;
/** Bytes of workgroup memory to join units in, at most, and at most half of what there is. */
const JOIN_BYTES = 16384;

/** What a device is asked to choose from, if it is asked. */
const LANES = [64, 128, 256];
const TEAMS = [4, 8, 16];
const DEPTHS = [1, 2, 4];

/** The largest divisor of `n` that is at most `limit`, which is at least 1. */
function largestDivisor(n: number, limit: number): number {
  let divisor = Math.max(1, Math.min(n, Math.floor(limit)));
  while (n % divisor !== 0) divisor -= 1;
  return divisor;
}

/** Among how many of so many lanes, a power of two, values can be divided evenly. */
function sharesOf(values: number, lanes: number): number {
  let shares = 1;
  while (2 * shares <= lanes && values % (2 * shares) === 0) shares *= 2;
  return shares;
}

/** Query heads a lane can hold at a time. */
function headsAtATime({ heads, kvHeads, headSize }: SdpaShape, team: number): number {
  const quads = divideCeil(headSize / 4, team);
  return largestDivisor(heads / kvHeads, Math.min(MAX_HEADS, MAX_ITEMS / quads));
}

/** Quads of query, and of output, that a lane holds. */
const itemsOf = (shape: SdpaShape, team: number): number =>
  headsAtATime(shape, team) * divideCeil(shape.headSize / 4, team);

/** Positions a lane can take at a time. */
function deepest(shape: SdpaShape, team: number): number {
  const quads = divideCeil(shape.headSize / 4, team);
  const most = Math.min(MAX_SCORES / headsAtATime(shape, team), MAX_LOADS / quads);
  return Math.max(1, Math.floor(most));
}

/** Lanes of workgroups made of whole subgroups, the preferred first; none where that is impossible. */
function subgroupLanes(shape: SdpaShape, { subgroups, limits, software }: Capabilities): number[] {
  if (subgroups === undefined) return [];
  const many = itemsOf(shape, preferredTeam(shape, subgroups.minSize)) > ITEMS_OF_PREFERRED_LANES;
  const wanted = software ? SOFTWARE_LANES : many ? PREFERRED_LANES / 2 : PREFERRED_LANES;
  const preferred = Math.max(wanted, subgroups.maxSize);
  return [preferred, ...LANES.filter((lanes) => lanes !== preferred)].filter(
    (lanes) => lanes >= subgroups.maxSize && lanes <= limits.maxComputeInvocationsPerWorkgroup,
  );
}

function preferredTeam({ headSize }: SdpaShape, largest: number): number {
  const lanes = divideCeil(headSize / 4, PREFERRED_QUADS);
  return Math.min(2 ** Math.ceil(Math.log2(lanes)), largest);
}

/** The layouts a device can run, the one for unmeasured devices first. */
function splitVariants(
  shape: SdpaShape,
  capabilities: Capabilities,
): readonly [SplitVariant, ...SplitVariant[]] {
  const [preferredLanes = SOFTWARE_LANES, ...otherLanes] = subgroupLanes(shape, capabilities);
  const usesSubgroups = subgroupLanes(shape, capabilities).length > 0;
  const largestTeam = usesSubgroups ? (capabilities.subgroups?.minSize ?? 1) : Infinity;
  const team = preferredTeam(shape, usesSubgroups ? largestTeam : TEAM_WITHOUT_SUBGROUPS);
  const wantedDepth = Math.min(team / TEAM_PER_DEPTH, deepest(shape, team));
  const preferred: SplitVariant = {
    lanes: preferredLanes,
    team,
    depth: DEPTHS.findLast((depth) => depth <= wantedDepth) ?? 1,
  };
  const [first, ...others] = variantsOf<SplitVariant>(preferred, {
    lanes: [preferredLanes, ...otherLanes],
    team: TEAMS.filter((size) => size <= largestTeam),
    depth: DEPTHS,
  });
  return [first, ...others.filter((variant) => variant.depth <= deepest(shape, variant.team))];
}

/** What is particular about the first step where something else than the second reads its results. */
interface SplitKind {
  /** k and v are stored first. */
  readonly append: boolean;
  /** What partial_out has elements of: f32, or the caches' type. */
  readonly partialType: "f16" | "f32";
}

function splitKernel(
  shape: SdpaShape,
  { append, partialType }: SplitKind,
  { lanes, team, depth }: SplitVariant,
  capabilities: Capabilities,
): Kernel {
  const usesSubgroups = subgroupLanes(shape, capabilities).length > 0;
  const unit = usesSubgroups ? (capabilities.subgroups?.minSize ?? team) : team;
  const quads = divideCeil(shape.headSize / 4, team);
  const heads = headsAtATime(shape, team);
  const items = heads * quads;
  const unitBytes = (lanes / unit) * team * 16;
  const joinBytes = Math.min(JOIN_BYTES, capabilities.limits.maxComputeWorkgroupStorageSize / 2);
  return defineKernel({
    label: usesSubgroups ? "sdpa_split_subgroup" : "sdpa_split",
    parts: [
      cacheQuadSource(shape.cacheType),
      partialType === "f32" ? partialQuadF32 : partialQuadCache,
      usesSubgroups ? splitSubgroupSource : splitWorkgroupSource,
      splitSource,
    ],
    constants: {
      HEADS: heads,
      TEAM: team,
      UNIT: unit,
      QUADS: quads,
      DEPTH: depth,
      SCORE_SHARES: usesSubgroups ? sharesOf(heads * depth, team) : 1,
      UNIT_SHARES: sharesOf(items, unit / team),
      JOINED: largestDivisor(items, joinBytes / unitBytes),
      APPEND: append,
    },
    overrides: { WORKGROUP_SIZE: lanes },
    unroll: capabilities.unrolls,
  });
}

/** The dispatches that fill `partial_out` and `partial_stats`, of which one runs. */
function partials(
  shape: SdpaShape,
  kind: SplitKind,
  variant: SplitVariant,
  capabilities: Capabilities,
): readonly [DispatchTemplate<SdpaLive>, ...DispatchTemplate<SdpaLive>[]] {
  const splits = sdpaSplits(shape);
  const isLong = ({ position }: Pick<SdpaLive, "position">): boolean =>
    splits.at(position).step === LONG_STEP;
  const twice = 2 * variant.lanes;
  const doubles =
    subgroupLanes(shape, capabilities).length > 0 &&
    twice <= mostLanes(capabilities) &&
    isLong({ position: shape.cacheLength - 1 });
  const short = partialsBy(shape, kind, variant, capabilities);
  if (!doubles) return [short];
  const long = partialsBy(shape, kind, { ...variant, lanes: twice }, capabilities);
  const only = (
    { grid, ...dispatch }: DispatchTemplate<SdpaLive>,
    whenLong: boolean,
  ): DispatchTemplate<SdpaLive> => ({
    ...dispatch,
    grid: (live) => (isLong(live) === whenLong ? grid(live) : NO_WORKGROUPS),
  });
  return [only(short, false), only(long, true)];
}

/** One of them: of workgroups that are laid out so. */
function partialsBy(
  shape: SdpaShape,
  kind: SplitKind,
  variant: SplitVariant,
  capabilities: Capabilities,
): DispatchTemplate<SdpaLive> {
  const { heads, kvHeads, headSize, cacheLength, scale } = shape;
  const splits = sdpaSplits(shape);
  return {
    kernel: splitKernel(shape, kind, variant, capabilities),
    bind: {
      partial_out: "partial_out",
      partial_stats: "partial_stats",
      k_cache: "k_cache",
      v_cache: "v_cache",
      q: "q",
      // Bound but not read where nothing is appended.
      k: kind.append ? "k" : "q",
      v: kind.append ? "v" : "q",
      input_pos: "input_pos",
    },
    params: ({ position }) => ({
      kv_heads: kvHeads,
      group: heads / kvHeads,
      head_quads: headSize / 4,
      ...splits.at(position),
      cache_length: cacheLength,
      scale,
    }),
    grid: ({ position }) => foldWorkgroupCount(kvHeads * splits.at(position).splits, capabilities),
    work: (live) => {
      const { bytes, ...work } = attentionWork(shape, live);
      return { ...work, bytes: { ...bytes, ...partialBytes(shape, kind.partialType, live) } };
    },
  };
}

function candidates(
  shape: SdpaShape,
  capabilities: Capabilities,
  build: (variant: SplitVariant) => Route<SdpaLive>,
): Tunable<SdpaLive>["candidates"] {
  const candidate = (variant: SplitVariant): Candidate<SdpaLive> => ({
    name: variantName(variant),
    route: () => build(variant),
  });
  const [first, ...others] = splitVariants(shape, capabilities);
  return [candidate(first), ...others.map(candidate)];
}

/** The routes for the first step alone, whose partial_out is of the caches' type. */
export function partialCandidates(
  shape: SdpaShape,
  append: boolean,
  capabilities: Capabilities,
): Tunable<SdpaLive>["candidates"] {
  return candidates(shape, capabilities, (variant) => {
    const kind = { append, partialType: shape.cacheType };
    const dispatches = partials(shape, kind, variant, capabilities);
    return { name: `${dispatches[0].kernel.label}_partials`, scratch: {}, dispatches };
  });
}

/** The routes for one query row: first the splits, then a second dispatch that joins them. */
export function splitCandidates(
  shape: SdpaShape,
  capabilities: Capabilities,
): Tunable<SdpaLive>["candidates"] {
  return candidates(shape, capabilities, (variant) => splitRoute(shape, variant, capabilities));
}

function splitRoute(
  shape: SdpaShape,
  variant: SplitVariant,
  capabilities: Capabilities,
): Route<SdpaLive> {
  const { heads, headSize } = shape;
  const kind = { append: true, partialType: "f32" } as const;
  const dispatches = partials(shape, kind, variant, capabilities);
  const splits = sdpaSplits(shape);
  return {
    name: dispatches[0].kernel.label,
    scratch: partialSizesInBytes(shape, "f32", splits.most),
    dispatches: [
      ...dispatches,
      {
        kernel: defineKernel({ label: "sdpa_reduce", parts: [reduceSource] }),
        bind: { out: "out", partial_out: "partial_out", partial_stats: "partial_stats" },
        params: ({ position }) => ({
          heads,
          head_quads: headSize / 4,
          splits: splits.at(position).splits,
        }),
        grid: () => foldWorkgroupCount(heads, capabilities),
        work: (live) => ({ bytes: partialBytes(shape, "f32", live) }),
      },
    ],
  };
}
