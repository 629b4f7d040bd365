/**
 * Projections of one row whose outputs go on as int8 limbs, so that the next projection needs no
 * dispatch to prepare its input: a workgroup computes whole groups of 32 outputs.
 */
import { UnsupportedError } from "../../errors.ts";
import type { Capabilities } from "../../gpu/capabilities.ts";
import { clampWorkgroupCount } from "../../gpu/dispatch-grid.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { Route } from "../../gpu/kernel.ts";
import type { KernelConstants } from "../../gpu/wgsl.ts";
import { LIMB_GROUP_BYTES, LIMB_GROUP_SIZE } from "../../quant/int8-limbs.ts";
import { productWork } from "../../gpu/work.ts";
import { partialBytes, sdpaSplits } from "../sdpa_with_kv_cache/sdpa-split.ts";
import sigmoid from "../shared/sigmoid.wgsl";
import groupAddSource from "./group-add.wgsl";
import groupSwigluSource from "./group-swiglu.wgsl";
import inputPartialsSource from "./input-partials.wgsl";
import limbDot from "./limb-dot.wgsl";
import limbWords from "./limb-words.wgsl";
import projectGroupsSource from "./project-groups.wgsl";
import q4Steps from "./q4-steps.wgsl";
import { isFused, limbInput, stepConstants, writesLimbs } from "./row-input.ts";
import type { NothingLive, RowInput, RowProjectionShape } from "./row-input.ts";

/** A projection of N rows that writes limbs. */
export interface LimbProjectionShape extends RowProjectionShape {
  /** A multiple of 32. */
  readonly N: number;
  /** The limbs are of rms_norm of the outputs, less its factor: with the operand next_norm f32 [N]. */
  readonly nextNorm?: boolean;
}

/** Fewest lanes that share outputs. */
const MIN_TEAM = 32;
/** Outputs of a team; more run out of registers. */
const MAX_ROWS = 4;
/** Blocks of 32 weights along K from which on more lanes share them. */
const LONG_BLOCKS = 129;

/** How many lanes a team and a workgroup should have: few workgroups must use all of a GPU's bandwidth. */
const wantedLanes = (blocks: number) =>
  blocks < LONG_BLOCKS ? { team: 32, workgroup: 512 } : { team: 128, workgroup: 1024 };

/** Whether the kernels of this file serve the shape on this device. */
export function projectsToLimbs(
  shape: Pick<LimbProjectionShape, "K" | "groupSize" | "N">,
  capabilities: Capabilities,
): boolean {
  const { subgroups, limits } = capabilities;
  return (
    writesLimbs(capabilities) &&
    isFused(shape, capabilities) &&
    shape.N % LIMB_GROUP_SIZE === 0 &&
    limits.maxComputeInvocationsPerWorkgroup >= (subgroups?.maxSize ?? Infinity)
  );
}

/** How lanes share a group's outputs: TEAM of them ROWS outputs, as many as the device allows. */
function teams(blocks: number, { subgroups, limits }: Capabilities) {
  const wanted = wantedLanes(blocks);
  const smallest = Math.max(MIN_TEAM, subgroups?.maxSize ?? 0);
  const most = Math.min(limits.maxComputeInvocationsPerWorkgroup, wanted.workgroup);
  const workgroup = Math.max(smallest, most);
  const team = Math.max(smallest, Math.min(wanted.team, (workgroup * MAX_ROWS) / LIMB_GROUP_SIZE));
  return { TEAM: team, ROWS: Math.max(1, (team * LIMB_GROUP_SIZE) / workgroup) };
}

interface Projection {
  readonly name: string;
  readonly parts: readonly string[];
  readonly matrices: number;
  readonly constants?: KernelConstants;
  readonly bind: Readonly<Record<string, string>>;
}

/** What reads the row: limbs of a buffer, or something of the projection's own. */
type Source = Pick<RowInput, "parts" | "lacksFactor">;

function groupKernel(
  shape: LimbProjectionShape,
  source: Source,
  projection: Projection,
  capabilities: Capabilities,
) {
  const { K, groupSize } = shape;
  if (!projectsToLimbs(shape, capabilities)) {
    throw new UnsupportedError(
      `${projection.name}: ${shape.N} outputs of K ${K}, groups of ${groupSize}; supported: ` +
        `multiples of 32, on devices with subgroups and integer dot products`,
    );
  }
  return defineKernel({
    label: `${projection.name}_q4gsw_limbs`,
    parts: [limbWords, q4Steps, ...source.parts, ...projection.parts, projectGroupsSource],
    constants: {
      ...teams(K / 32, capabilities),
      SMALLEST_SUBGROUP: capabilities.subgroups?.minSize ?? 1,
      ...stepConstants(shape, K / 32 >= LONG_BLOCKS),
      NORM: source.lacksFactor,
      NORM_NEXT: shape.nextNorm ?? false,
      ...projection.constants,
    },
  });
}

const groupGrid = (N: number, capabilities: Capabilities) =>
  [clampWorkgroupCount(N / LIMB_GROUP_SIZE, capabilities), 1, 1] as const;

/** Bytes of the limbs of `values` values. */
export const limbBytes = (values: number): number => (values / LIMB_GROUP_SIZE) * LIMB_GROUP_BYTES;

function fromRow(
  shape: LimbProjectionShape,
  projection: Projection,
  capabilities: Capabilities,
): Route<NothingLive> {
  const input = limbInput(shape, capabilities);
  return {
    name: `${projection.name}_${shape.input === "limbs" ? "limbs" : "f32"}`,
    scratch: input.scratch,
    dispatches: [
      ...input.dispatches,
      {
        kernel: groupKernel(shape, input, projection, capabilities),
        bind: { x: input.operand, ...projection.bind },
        params: () => ({
          N: shape.N,
          epsilon: shape.norm?.epsilon ?? 0,
          splits: 0,
          blocks: shape.K / 32,
        }),
        grid: () => groupGrid(shape.N, capabilities),
        work: () => productWork(1, projection.matrices * shape.N, shape.K),
      },
    ],
  };
}

/**
 * SwiGLU's hidden row (Shazeer, 2020) as limbs: silu(gate · x) · (up · x), x normalised if the shape has
 * that. Operands x f32 [K] or limbs, norm f32 [K], gate and up [N, K / 8] words, gate_scales and
 * up_scales, out_limbs of N values. Throws `UnsupportedError` unless {@link projectsToLimbs}.
 */
export function swigluLimbsQ4gsw(
  shape: LimbProjectionShape,
  capabilities: Capabilities,
): Route<NothingLive> {
  const operands = ["gate", "gate_scales", "up", "up_scales", "out_limbs"];
  const projection = {
    name: "swiglu_to_limbs",
    parts: [sigmoid, groupSwigluSource],
    matrices: 2,
    bind: Object.fromEntries(operands.map((name) => [name, name])),
  };
  return fromRow(shape, projection, capabilities);
}

const addition = ({ nextNorm = false }: LimbProjectionShape) => ({
  parts: [groupAddSource],
  matrices: 1,
  bind: {
    weight: "weight",
    scales: "scales",
    residual: "residual",
    out: "out",
    out_limbs: "out_limbs",
    // Bound but not read without a norm.
    next_norm: nextNorm ? "next_norm" : "residual",
  },
});

/**
 * out = weight · x + residual, and the same as limbs, through the weights of the next rms_norm if the
 * shape has that. Operands x f32 [K] or limbs, norm f32 [K], weight [N, K / 8] words, scales, residual f32 [N], next_norm
 * f32 [N], out f32 [N], out_limbs of N values. Throws `UnsupportedError` unless {@link projectsToLimbs}.
 */
export function linearAddLimbsQ4gsw(
  shape: LimbProjectionShape,
  capabilities: Capabilities,
): Route<NothingLive> {
  return fromRow(shape, { name: "linear_add_to_limbs", ...addition(shape) }, capabilities);
}

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

/** Bytes of workgroup memory that a group's sums and outputs take at the most, beside the row. */
const GROUP_BYTES = 8192;

/** Whether {@link attentionLinearAddQ4gsw} serves the shape on this device. */
export function projectsAttention(
  shape: AttentionProjectionShape,
  capabilities: Capabilities,
): boolean {
  const K = shape.heads * shape.headSize;
  return (
    projectsToLimbs({ ...shape, K }, capabilities) &&
    limbBytes(K) + GROUP_BYTES <= capabilities.limits.maxComputeWorkgroupStorageSize
  );
}

/**
 * {@link linearAddLimbsQ4gsw} of attention's output, whose splits it joins: operands partial_out f32
 * [Hq, splits, D] and partial_stats f32 [Hq, splits, 2] in place of x. Throws `UnsupportedError` unless
 * {@link projectsAttention}.
 */
export function attentionLinearAddQ4gsw(
  shape: AttentionProjectionShape,
  capabilities: Capabilities,
): Route<AttentionLive> {
  const { heads, headSize, N } = shape;
  const splits = sdpaSplits(shape);
  const { bind, ...projection } = addition({ ...shape, K: heads * headSize });
  const kernel = groupKernel(
    { ...shape, K: heads * headSize },
    { parts: [limbDot, inputPartialsSource], lacksFactor: false },
    {
      name: "attention_linear_add",
      ...projection,
      bind,
      constants: { HEADS: heads, HEAD_QUADS: headSize / 4 },
    },
    capabilities,
  );
  return {
    name: "attention_linear_add_limbs",
    scratch: {},
    dispatches: [
      {
        kernel,
        bind: { partial_out: "partial_out", partial_stats: "partial_stats", ...bind },
        params: ({ position }) => ({
          N,
          epsilon: 0,
          splits: splits.at(position).splits,
          blocks: (heads * headSize) / 32,
        }),
        grid: () => groupGrid(N, capabilities),
        work: (live) => ({
          ...productWork(1, N, heads * headSize),
          bytes: partialBytes(shape, live),
        }),
      },
    ],
  };
}
