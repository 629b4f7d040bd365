/** Attention's output projection, from what its splits left to limbs of the sum with the residual. */
import type { Capabilities } from "../../gpu/capabilities.ts";
import { clampWorkgroupCount, divideCeil, NO_WORKGROUPS } from "../../gpu/dispatch-grid.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { DispatchTemplate, Route } from "../../gpu/kernel.ts";
import { productWork } from "../../gpu/work.ts";
import { partialBytes, partialSizes, sdpaSplits } from "../sdpa_with_kv_cache/sdpa-split.ts";
import limbWords from "../shared/limb-words.wgsl";
import storeLimbs from "../shared/store-limbs.wgsl";
import type { Tunable } from "../shared/tunable.ts";
import attentionPartials from "./attention-partials.wgsl";
import inputLimbs from "./input-limbs.wgsl";
import inputPartials from "./input-partials.wgsl";
import joinPartials from "./join-partials.wgsl";
import limbDot from "./limb-dot.wgsl";
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
}

/** The position that decides how many splits there are. */
interface AttentionLive {
  readonly position: number;
}

/** Bytes of workgroup memory that a workgroup's sums and outputs take at the most, beside the row. */
const GROUP_BYTES = 8192;

/**
 * Bytes of partial results from which on they are joined once, in a dispatch of its own: each workgroup
 * of the projection would read them all.
 */
const JOIN_APART_BYTES = 2 ** 17;
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

/** Whether a run joins its splits apart. */
const joinsApart = (shape: AttentionProjectionShape, live: AttentionLive): boolean =>
  partialBytes(shape, live).partial_out >= JOIN_APART_BYTES;

/** The splits' row as limbs, where they are joined apart. */
function joinDispatch(
  shape: AttentionProjectionShape,
  capabilities: Capabilities,
): DispatchTemplate<AttentionLive> {
  const { heads, headSize } = shape;
  const splits = sdpaSplits(shape);
  const share = Math.min(MAX_SHARE, (capabilities.subgroups?.minSize ?? 2) / 2);
  const lanes = Math.max(JOIN_LANES, capabilities.subgroups?.maxSize ?? 0);
  const workgroups = divideCeil(((heads * headSize) / 8) * share, lanes);
  return {
    kernel: defineKernel({
      label: "join_partials_limbs",
      parts: [limbWords, storeLimbs, attentionPartials, joinPartials],
      constants: { HEADS: heads, HEAD_OCTETS: headSize / 8, SHARE: share },
      overrides: { WORKGROUP_SIZE: lanes },
    }),
    bind: { out_limbs: "joined", partial_out: "partial_out", partial_stats: "partial_stats" },
    params: ({ position }) => ({ splits: splits.at(position).splits }),
    grid: (live) =>
      joinsApart(shape, live)
        ? [clampWorkgroupCount(workgroups, capabilities), 1, 1]
        : NO_WORKGROUPS,
    work: (live) => ({ bytes: partialBytes(shape, live) }),
  };
}

/**
 * The routes for out = weight · x + residual, and the same as limbs, where x is attention's output, whose
 * splits are joined: operands partial_out f32 [Hq, splits, D] and partial_stats f32 [splits, Hq, 2],
 * weight [N, K / 8] words, scales, residual f32 [N], next_norm f32 [N], out f32 [N], out_limbs of N values.
 * Throws `UnsupportedError` unless {@link projectsAttention}.
 */
export function attentionLinearAddTunable(
  attention: AttentionProjectionShape,
  capabilities: Capabilities,
): Tunable<AttentionLive> {
  const { heads, kvHeads, headSize, cacheLength, N } = attention;
  const splits = sdpaSplits(attention);
  const K = heads * headSize;
  const shape: LimbProjectionShape = { ...attention, K };
  const projection: GroupProjection = {
    name: "attention_linear_add",
    ...addition(shape),
    storageBytes: limbBytes(K),
  };
  const longest = { position: cacheLength - 1 };
  // Not at the last position: splits grow longer when there are as many as may be, and so fewer.
  const everApart = 4 * partialSizes(attention, splits.most).partial_out >= JOIN_APART_BYTES;
  const route = (variant: GroupVariant): Route<AttentionLive> => {
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
        joinsApart(attention, live) === apart ? groupGrid(N, variant, capabilities) : NO_WORKGROUPS,
      work: (live) => ({
        ...productWork(1, N, K),
        ...(apart ? {} : { bytes: partialBytes(attention, live) }),
      }),
    });
    const joining: GroupProjection = {
      ...projection,
      constants: { HEADS: heads, HEAD_OCTETS: headSize / 8 },
      bind: { partial_out: "partial_out", partial_stats: "partial_stats", ...projection.bind },
    };
    const joined = { ...projection, bind: { x: "joined", ...projection.bind } };
    return {
      name: "attention_linear_add_limbs",
      scratch: everApart ? { joined: limbBytes(K) } : {},
      dispatches: [
        dispatch(false, [limbDot, attentionPartials, inputPartials], joining),
        ...(everApart
          ? [joinDispatch(attention, capabilities), dispatch(true, [limbDot, inputLimbs], joined)]
          : []),
      ],
    };
  };
  return groupTunable(
    shape,
    projection,
    `heads=${heads}/${kvHeads} C=${cacheLength}`,
    [{ live: { position: Math.ceil(cacheLength / 8) - 1 } }, { live: longest }],
    route,
    capabilities,
  );
}
