/**
 * Projections of one row whose outputs go on as int8 limbs, so that the next projection needs no
 * dispatch to prepare its input: a workgroup computes one or two groups of 16 outputs.
 */
import { UnsupportedError } from "../../errors.ts";
import type { Capabilities } from "../../gpu/capabilities.ts";
import { clampWorkgroupCount } from "../../gpu/dispatch-grid.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { Route } from "../../gpu/kernel.ts";
import type { KernelConstants } from "../../gpu/wgsl.ts";
import { LIMB_BLOCK_BYTES, LIMB_BLOCK_SIZE } from "../../quant/int8-limbs.ts";
import { productWork } from "../../gpu/work.ts";
import { LARGE_GPU_MULTIPROCESSORS } from "../shared/large-gpu.ts";
import limbWords from "../shared/limb-words.wgsl";
import sigmoid from "../shared/sigmoid.wgsl";
import storeLimbs from "../shared/store-limbs.wgsl";
import { LIMBS, scaleMagnitude, variantName, variantsOf } from "../shared/tunable.ts";
import type { Candidate, OperandEncoding, Tunable } from "../shared/tunable.ts";
import { mostLanes } from "../shared/workgroup-lanes.ts";
import groupAddSource from "./group-add.wgsl";
import groupSwigluSource from "./group-swiglu.wgsl";
import projectGroupsSource from "./project-groups.wgsl";
import q4Steps from "./q4-steps.wgsl";
import { isFused, limbInput, stepConstants, takesPairs, writesLimbs } from "./row-input.ts";
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

/** Lanes that a multiprocessor of a large GPU runs at once, with what these kernels keep in registers. */
const LANES_AT_ONCE = 1024;

/** Workgroups that a large GPU runs at once. */
const workgroupsAtOnce = (lanes: number): number =>
  (LARGE_GPU_MULTIPROCESSORS * LANES_AT_ONCE) / lanes;

/**
 * The layout to come near: all workgroups run at once, so that none waits for others to end, and few of
 * them still use all of a GPU's bandwidth.
 */
function wantedLayout(blocks: number, N: number) {
  const isLong = blocks >= LONG_BLOCKS;
  const [most, fewer] = isLong ? ([1024, 512] as const) : ([512, 256] as const);
  const outputs = N / 16 <= workgroupsAtOnce(isLong ? fewer : most) ? 16 : 32;
  const lanes = N / outputs <= workgroupsAtOnce(most) ? most : fewer;
  return { outputs, lanes, team: isLong ? lanes / 8 : 1024 / outputs };
}

/** Whether the kernels of this file serve the shape on this device. */
export function projectsToLimbs(
  shape: Pick<LimbProjectionShape, "K" | "groupSize" | "N">,
  capabilities: Capabilities,
): boolean {
  return (
    writesLimbs(capabilities) &&
    isFused(shape, capabilities) &&
    shape.N % LIMB_BLOCK_SIZE === 0 &&
    mostLanes(capabilities) >= smallestTeam(capabilities)
  );
}

/** What a device is asked to choose from, if it is asked. */
const WORKGROUP_OUTPUTS = [16, 32];
const LANES = [128, 256, 512, 1024];
const ROWS = [1, 2, 4];

/** How outputs are shared out. */
export type GroupVariant = {
  /** Outputs of a workgroup: one or two groups of limbs. */
  readonly outputs: number;
  /** Lanes of a workgroup. */
  readonly lanes: number;
  /** Outputs of a team of lanes. */
  readonly rows: number;
  /** Blocks of 32 weights that a lane takes at a time. */
  readonly step: number;
};

/** Lanes that share outputs. */
const teamOf = ({ outputs, lanes, rows }: GroupVariant): number => (lanes * rows) / outputs;

/** Blocks along K that a team takes at a time. */
const teamBlocks = (variant: GroupVariant): number => variant.step * teamOf(variant);

const smallestTeam = ({ subgroups }: Capabilities): number =>
  Math.max(MIN_TEAM, subgroups?.maxSize ?? 0);

/** The layout where nothing was measured: with as many of the lanes as the device allows. */
function preferredVariant(shape: LimbProjectionShape, capabilities: Capabilities): GroupVariant {
  const blocks = shape.K / 32;
  const { outputs, ...wanted } = wantedLayout(blocks, shape.N);
  const smallest = smallestTeam(capabilities);
  const lanes = Math.min(mostLanes(capabilities), Math.max(smallest, wanted.lanes));
  const team = Math.max(smallest, Math.min(wanted.team, (lanes * MAX_ROWS) / outputs));
  const rows = Math.max(1, (team * outputs) / lanes);
  // Pairs where a lane is done with one: all that it loads is then under way at once.
  const inPairs = blocks >= LONG_BLOCKS || (blocks > team && blocks <= 2 * team);
  return { outputs, lanes, rows, step: inPairs && takesPairs(shape) ? 2 : 1 };
}

/** The layouts a device can run, the preferred first. */
function variants(
  shape: LimbProjectionShape,
  { matrices, storageBytes = 0 }: GroupProjection,
  capabilities: Capabilities,
): readonly [GroupVariant, ...GroupVariant[]] {
  const { subgroups, limits } = capabilities;
  const [first, ...others] = variantsOf(preferredVariant(shape, capabilities), {
    outputs: WORKGROUP_OUTPUTS,
    lanes: LANES,
    rows: ROWS,
    step: takesPairs(shape) ? [1, 2] : [1],
  });
  const fits = (variant: GroupVariant): boolean => {
    const { outputs, lanes, rows } = variant;
    const sums = (lanes / (subgroups?.minSize ?? 1)) * (matrices * rows + 1);
    const bytes = 4 * (sums + 2 * outputs) + storageBytes;
    return (
      lanes <= mostLanes(capabilities) &&
      bytes <= limits.maxComputeWorkgroupStorageSize &&
      teamOf(variant) >= smallestTeam(capabilities) &&
      teamBlocks(variant) <= Math.max(shape.K / 32, teamBlocks(first))
    );
  };
  return [first, ...others.filter(fits)];
}

/** Matrices that multiply a row, and what becomes of their outputs. */
export interface GroupProjection {
  readonly name: string;
  readonly parts: readonly string[];
  readonly matrices: number;
  readonly constants?: KernelConstants;
  /** Workgroup memory that it takes for itself. */
  readonly storageBytes?: number;
  readonly bind: Readonly<Record<string, string>>;
}

/** What reads the row: limbs of a buffer, or something of the projection's own. */
export type GroupSource = Pick<RowInput, "parts" | "lacksFactor">;

/** The projection in one layout. */
export function groupKernel(
  shape: LimbProjectionShape,
  source: GroupSource,
  projection: GroupProjection,
  variant: GroupVariant,
  capabilities: Capabilities,
) {
  return defineKernel({
    label: `${projection.name}_q4gsw_limbs`,
    parts: [
      limbWords,
      storeLimbs,
      q4Steps,
      ...source.parts,
      ...projection.parts,
      projectGroupsSource,
    ],
    constants: {
      TEAM: teamOf(variant),
      OUTPUTS: variant.outputs,
      ROWS: variant.rows,
      SMALLEST_SUBGROUP: capabilities.subgroups?.minSize ?? 1,
      ...stepConstants(shape, variant.step === 2),
      NORM: source.lacksFactor,
      STRIDES: shape.N / variant.outputs > capabilities.limits.maxComputeWorkgroupsPerDimension,
      NORM_NEXT: shape.nextNorm ?? false,
      ...projection.constants,
    },
  });
}

/** The layouts of a projection as candidates. Throws where the device runs none of them. */
export function groupTunable<Live>(
  shape: LimbProjectionShape,
  projection: GroupProjection,
  input: string,
  trials: Tunable<Live>["trials"],
  route: (variant: GroupVariant) => Route<Live>,
  capabilities: Capabilities,
): Tunable<Live> {
  const { K, N, groupSize, scaleType, norm, nextNorm } = shape;
  if (!projectsToLimbs(shape, capabilities)) {
    throw new UnsupportedError(
      `${projection.name}: ${shape.N} outputs of K ${K}, groups of ${groupSize}; supported: ` +
        `multiples of 32, on devices with subgroups and integer dot products`,
    );
  }
  const candidate = (variant: GroupVariant): Candidate<Live> => ({
    name: variantName(variant),
    route: () => route(variant),
  });
  const [first, ...others] = variants(shape, projection, capabilities);
  const key = [
    `${projection.name}_q4gsw N=${N} K=${K} g${groupSize} ${scaleType} ${input}`,
    norm !== undefined && "norm",
    nextNorm && "next norm",
  ];
  return {
    key: key.filter(Boolean).join(" "),
    candidates: [candidate(first), ...others.map(candidate)],
    trials,
    tolerance: K <= 4096 ? { absolute: 1e-4, relative: 1e-3 } : { absolute: 1e-3, relative: 1e-2 },
    magnitudes: Object.fromEntries(
      Object.values(projection.bind)
        .filter((operand) => operand.endsWith("scales"))
        .map((operand) => [operand, scaleMagnitude(K)]),
    ),
    encodings: { limbs: LIMBS, out_limbs: LIMBS, partial_stats: PARTIAL_STATS },
  };
}

/** Maxima, and sums of powers of two, which are positive. */
const PARTIAL_STATS: OperandEncoding = {
  valuesIn: (bytes) => bytes / 4,
  encode: (values) => new Uint8Array(values.map(Math.abs).buffer),
  decode: ({ buffer, byteOffset, byteLength }) =>
    new Float32Array(buffer, byteOffset, byteLength / 4),
};

export const groupGrid = (N: number, { outputs }: GroupVariant, capabilities: Capabilities) =>
  [clampWorkgroupCount(N / outputs, capabilities), 1, 1] as const;

/** Bytes of the limbs of `values` values. */
export const limbBytes = (values: number): number => (values / LIMB_BLOCK_SIZE) * LIMB_BLOCK_BYTES;

function fromRow(
  shape: LimbProjectionShape,
  projection: GroupProjection,
  capabilities: Capabilities,
): Tunable<NothingLive> {
  const input = limbInput(shape, capabilities);
  const { K, N, norm } = shape;
  const from = shape.input === "limbs" ? "limbs" : "f32";
  const route = (variant: GroupVariant): Route<NothingLive> => ({
    name: `${projection.name}_${from}`,
    scratch: input.scratch,
    dispatches: [
      ...input.dispatches,
      {
        kernel: groupKernel(shape, input, projection, variant, capabilities),
        bind: { x: input.operand, ...projection.bind },
        params: () => ({ N, epsilon: norm?.epsilon ?? 0, splits: 0, blocks: K / 32 }),
        grid: () => groupGrid(N, variant, capabilities),
        work: () => productWork(1, projection.matrices * N, K),
      },
    ],
  });
  return groupTunable(shape, projection, from, [{ live: {} }], route, capabilities);
}

/**
 * The routes for SwiGLU's hidden row (Shazeer, 2020) as limbs: silu(gate · x) · (up · x), x normalised if
 * the shape has that. Operands x f32 [K] or limbs, norm f32 [K], gate and up [N, K / 8] words, gate_scales and
 * up_scales, out_limbs of N values. Throws `UnsupportedError` unless {@link projectsToLimbs}.
 */
export function swigluLimbsTunable(
  shape: LimbProjectionShape,
  capabilities: Capabilities,
): Tunable<NothingLive> {
  const operands = ["gate", "gate_scales", "up", "up_scales", "out_limbs"];
  const projection = {
    name: "swiglu_to_limbs",
    parts: [sigmoid, groupSwigluSource],
    matrices: 2,
    bind: Object.fromEntries(operands.map((name) => [name, name])),
  };
  return fromRow(shape, projection, capabilities);
}

/** What makes a projection's outputs a sum with a residual. */
export const addition = ({ nextNorm = false }: LimbProjectionShape) => ({
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
 * The routes for out = weight · x + residual, and the same as limbs, through the weights of the next rms_norm if the
 * shape has that. Operands x f32 [K] or limbs, norm f32 [K], weight [N, K / 8] words, scales, residual f32 [N], next_norm
 * f32 [N], out f32 [N], out_limbs of N values. Throws `UnsupportedError` unless {@link projectsToLimbs}.
 */
export function linearAddLimbsTunable(
  shape: LimbProjectionShape,
  capabilities: Capabilities,
): Tunable<NothingLive> {
  return fromRow(shape, { name: "linear_add_to_limbs", ...addition(shape) }, capabilities);
}
