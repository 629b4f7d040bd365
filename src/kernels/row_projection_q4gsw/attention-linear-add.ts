/** Attention's output projection, from what its splits left to limbs of the sum with the residual. */
import type { Capabilities } from "../../gpu/capabilities.ts";
import { clampWorkgroupCount, divideCeil, NO_WORKGROUPS } from "../../gpu/dispatch-grid.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { DispatchTemplate, Route } from "../../gpu/kernel.ts";
import { productWork } from "../../gpu/work.ts";
import {
  partialBytes,
  partialSizesInBytes,
  sdpaSplits,
} from "../sdpa_with_kv_cache/sdpa-splits.ts";
import limbWords from "../shared/limb-words.wgsl";
import storeLimbs from "../shared/store-limbs.wgsl";
import type { Tunable } from "../shared/tunable.ts";
import attentionPartials from "./attention-partials.wgsl";
import inputLimbs from "./input-limbs.wgsl";
import inputPartials from "./input-partials.wgsl";
import joinPartials from "./join-partials.wgsl";
import limbDot from "./limb-dot.wgsl";
import partialOctetF16 from "./partial-octet-f16.wgsl";
import partialOctetF32 from "./partial-octet-f32.wgsl";
import {
  addition,
  groupGrid,
  groupKernel,
  groupTunable,
  limbBytes,
  projectsToLimbs,
} from "./row-groups.ts";
import type { GroupProjection, GroupVariant, LimbProjectionShape } from "./row-groups.ts";

/** Attention's output projection: x is what `tetrad.sdpa_partials` left. */
export interface AttentionProjectionShape extends Omit<
  LimbProjectionShape,
  "K" | "input" | "norm"
> {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly cacheLength: number;
  /** What partial_out has elements of. */
  readonly cacheType: "f16" | "f32";
}

/** The position that decides how many splits there are. */
interface AttentionLive {
  readonly position: number;
}

/** Bytes of workgroup memory that a workgroup's sums and outputs take at the most, beside the row. */
const GROUP_BYTES = 8192;

/**
 * Bytes that all workgroups of the projection may read of partial results, which each of them needs all. Where it
 * were more, they are joined once, in a dispatch of its own.
 */
const JOIN_APART_BYTES = 24 * 2 ** 20;
const JOIN_LANES = 128;
/** Lanes that join the splits of eight values. */
const MAX_SHARE = 16;

/** Whether {@link attentionLinearAddTunable} serves the shape on this device. */
export function projectsAttention(
  shape: AttentionProjectionShape,
  capabilities: Capabilities,
): boolean {
  const K = shape.heads * shape.headSize;
  return (
    // An octet is of one head.
    shape.headSize % 8 === 0 &&
    projectsToLimbs({ ...shape, K }, capabilities) &&
    limbBytes(K) + GROUP_BYTES <= capabilities.limits.maxComputeWorkgroupStorageSize
  );
}

/** Whether splits of so many bytes are joined apart. */
const isApart = (bytes: number, N: number, { outputs }: GroupVariant): boolean =>
  (bytes * N) / outputs > JOIN_APART_BYTES;

/** What reads the splits of a row of which so many lanes share an octet. */
const partialsSource = ({ cacheType }: AttentionProjectionShape): readonly string[] => [
  cacheType === "f16" ? partialOctetF16 : partialOctetF32,
  attentionPartials,
];

/** Lanes that can have an octet in common, of so many for all octets. */
function shareOf(octets: number, lanes: number, { subgroups }: Capabilities): number {
  const most = Math.min(MAX_SHARE, (subgroups?.minSize ?? 2) / 2, lanes / octets);
  return 2 ** Math.max(0, Math.floor(Math.log2(most)));
}

/** The splits' row as limbs, where they are joined apart. */
function joinDispatch(
  shape: AttentionProjectionShape,
  joinsApart: (live: AttentionLive) => boolean,
  capabilities: Capabilities,
): DispatchTemplate<AttentionLive> {
  const { heads, headSize } = shape;
  const splits = sdpaSplits(shape);
  const share = shareOf(1, Infinity, capabilities);
  const lanes = Math.max(JOIN_LANES, capabilities.subgroups?.maxSize ?? 0);
  const workgroups = divideCeil(((heads * headSize) / 8) * share, lanes);
  return {
    kernel: defineKernel({
      label: "join_partials_limbs",
      parts: [limbWords, storeLimbs, ...partialsSource(shape), joinPartials],
      constants: { HEADS: heads, HEAD_OCTETS: headSize / 8, SHARE: share },
      overrides: { WORKGROUP_SIZE: lanes },
    }),
    bind: { out_limbs: "joined", partial_out: "partial_out", partial_stats: "partial_stats" },
    params: ({ position }) => ({ splits: splits.at(position).splits }),
    grid: (live) =>
      joinsApart(live) ? [clampWorkgroupCount(workgroups, capabilities), 1, 1] : NO_WORKGROUPS,
    work: (live) => ({ bytes: partialBytes(shape, shape.cacheType, live) }),
  };
}

/**
 * The routes for out = weight · x + residual, and the same as limbs, where x is attention's output, whose
 * splits are joined: operands partial_out [Hq, splits, D] and partial_stats f32 [splits, Hq, 2],
 * weight [N, K / 8] words, scales, residual f32 [N], next_norm f32 [N], out f32 [N], out_limbs of N values.
 * Throws `UnsupportedError` unless {@link projectsAttention}.
 */
export function attentionLinearAddTunable(
  attention: AttentionProjectionShape,
  capabilities: Capabilities,
): Tunable<AttentionLive> {
  const { heads, kvHeads, headSize, cacheLength, cacheType, N } = attention;
  const splits = sdpaSplits(attention);
  const K = heads * headSize;
  const shape: LimbProjectionShape = { ...attention, K };
  const projection: GroupProjection = {
    name: "attention_linear_add",
    ...addition(shape),
    storageBytes: limbBytes(K),
  };
  const longest = { position: cacheLength - 1 };
  const route = (variant: GroupVariant): Route<AttentionLive> => {
    const joinsApart = (live: AttentionLive) =>
      isApart(partialBytes(attention, cacheType, live).partial_out, N, variant);
    // Not at the last position: splits grow longer when there are as many as may be, and so fewer.
    const everApart = isApart(
      partialSizesInBytes(attention, cacheType, splits.most).partial_out,
      N,
      variant,
    );
    const dispatch = (
      apart: boolean,
      parts: readonly string[],
      made: GroupProjection,
    ): DispatchTemplate<AttentionLive> => ({
      kernel: groupKernel(shape, { parts, lacksFactor: false }, made, variant, capabilities),
      bind: made.bind,
      params: ({ position }) => ({
        N,
        epsilon: 0,
        splits: splits.at(position).splits,
        blocks: K / 32,
      }),
      grid: (live) =>
        joinsApart(live) === apart ? groupGrid(N, variant, capabilities) : NO_WORKGROUPS,
      work: (live) => ({
        ...productWork(1, N, K),
        ...(apart ? {} : { bytes: partialBytes(attention, cacheType, live) }),
      }),
    });
    const joining: GroupProjection = {
      ...projection,
      constants: {
        HEADS: heads,
        HEAD_OCTETS: headSize / 8,
        SHARE: shareOf(K / 8, variant.lanes, capabilities),
        // Even where one turn does: as straight code it was slower, unlike the other projections.
        STRIDES: true,
      },
      bind: { partial_out: "partial_out", partial_stats: "partial_stats", ...projection.bind },
    };
    const joined = { ...projection, bind: { x: "joined", ...projection.bind } };
    return {
      name: "attention_linear_add_limbs",
      scratch: everApart ? { joined: limbBytes(K) } : {},
      dispatches: [
        dispatch(false, [limbDot, ...partialsSource(attention), inputPartials], joining),
        ...(everApart
          ? [
              joinDispatch(attention, joinsApart, capabilities),
              dispatch(true, [limbDot, inputLimbs], joined),
            ]
          : []),
      ],
    };
  };
  return groupTunable(
    shape,
    projection,
    `heads=${heads}/${kvHeads} C=${cacheLength} ${cacheType}`,
    [{ live: { position: Math.ceil(cacheLength / 8) - 1 } }, { live: longest }],
    route,
    capabilities,
  );
}
