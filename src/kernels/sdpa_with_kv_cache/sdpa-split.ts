import type { Capabilities } from "../../gpu/capabilities.ts";
import { divideCeil, foldWorkgroupCount } from "../../gpu/dispatch-grid.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { Kernel, Route } from "../../gpu/kernel.ts";
import { cacheQuadSource } from "./cache-quad.ts";
import reduceSource from "./sdpa-reduce.wgsl";
import splitSubgroupSource from "./sdpa-split-subgroup.wgsl";
import splitWorkgroupSource from "./sdpa-split-workgroup.wgsl";
import splitSource from "./sdpa-split.wgsl";
import { attentionWork } from "./sdpa-shape.ts";
import type { SdpaLive, SdpaShape } from "./sdpa-shape.ts";

/** Fewest positions worth a workgroup of their own. */
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

function splitKernel(shape: SdpaShape, capabilities: Capabilities): Kernel {
  const subgroupSize = subgroupWorkgroupSize(capabilities);
  const minSubgroup = capabilities.subgroups?.minSize ?? 1;
  const headQuads = shape.headSize / 4;
  const group = shape.heads / shape.kvHeads;
  const team = subgroupSize === undefined ? MAX_TEAM : Math.min(MAX_TEAM, minSubgroup);
  const quads = divideCeil(headQuads, team);
  const heads = largestDivisor(group, Math.min(MAX_HEADS, MAX_ITEMS / quads));
  return defineKernel({
    label: subgroupSize === undefined ? "sdpa_split" : "sdpa_split_subgroup",
    parts: [
      cacheQuadSource(shape.cacheType),
      subgroupSize === undefined ? splitWorkgroupSource : splitSubgroupSource,
      splitSource,
    ],
    constants: {
      HEADS: heads,
      TEAM: team,
      QUADS: quads,
      DEPTH: Math.min(MAX_DEPTH, Math.floor(MAX_SCORES / heads)),
    },
    overrides: { WORKGROUP_SIZE: subgroupSize ?? 64 },
  });
}

/**
 * One query row: the context is split over workgroups, and a second dispatch joins the splits. How
 * many there are follows the position the CPU knows; they share whatever context the GPU finds.
 */
export function splitRoute(shape: SdpaShape, capabilities: Capabilities): Route<SdpaLive> {
  const { heads, kvHeads, headSize, cacheLength, scale } = shape;
  const kernel = splitKernel(shape, capabilities);
  const maxSplits = Math.min(
    MAX_SPLITS,
    divideCeil(ENOUGH_WORKGROUPS, kvHeads),
    divideCeil(cacheLength, POSITIONS_PER_SPLIT),
  );
  const splitsAt = (position: number) =>
    Math.max(1, Math.min(maxSplits, divideCeil(position + 1, POSITIONS_PER_SPLIT)));
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
