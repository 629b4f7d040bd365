/**
 * Projections of one row by several 4-bit matrices at once, with the normalisation before them and the
 * activation after them: what a decoded token spends its time on. On a GPU each is one or two
 * dispatches; elsewhere it is the operators it stands for, one after another.
 */
import type { Capabilities } from "../../gpu/capabilities.ts";
import { clampWorkgroupCount, divideCeil } from "../../gpu/dispatch-grid.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { DispatchTemplate, Kernel, Route } from "../../gpu/kernel.ts";
import { productWork } from "../../gpu/work.ts";
import type { StatedWork } from "../../gpu/work.ts";
import { LIMB_GROUP_BYTES, LIMB_GROUP_SIZE } from "../../quant/int8-limbs.ts";
import { linearQ4gsw } from "../linear_q4gsw/linear-q4gsw.ts";
import { rmsNorm } from "../rms_norm/rms-norm.ts";
import sigmoid from "../shared/sigmoid.wgsl";
import { defaultRoute, scaleMagnitude, variantName, variantsOf } from "../shared/tunable.ts";
import type { Candidate, Tunable } from "../shared/tunable.ts";
import { siluMul } from "../silu_mul/silu-mul.ts";
import inputF32 from "./input-f32.wgsl";
import inputLimbs from "./input-limbs.wgsl";
import linearSource from "./linear.wgsl";
import projectSource from "./project.wgsl";
import qkvSource from "./qkv.wgsl";
import swigluSource from "./swiglu.wgsl";
import writeLimbsSource from "./write-limbs.wgsl";

/** What all projections of a row have in common. */
export interface RowProjectionShape {
  readonly K: number;
  /** Weights a scale, along K, in every matrix; divides K. */
  readonly groupSize: number;
  readonly scaleType: "f16" | "f32";
  /** x goes through rms_norm first, with the operand `norm` f32 [K]. */
  readonly norm?: { readonly epsilon: number };
}

/** Nothing changes from run to run. */
type Live = object;

/** Lanes a workgroup that writes limbs, a group of 32 values each. */
const LIMB_LANES = 32;

/** The longest K for which 32 lanes a workgroup were best; a longer one gives each too much to do. */
const SHORT_K = 4096;
const SHORT_K_LANES = 32;
const LONG_K_LANES = 128;

/** What a device is asked to choose from, if it is asked. */
const LANES = [32, 64, 128, 256];
const OUTPUTS = [1, 2, 4];

/** How the kernels of this folder are laid out. */
type Variant = {
  /** What the projection reads x as. */
  readonly input: "limbs" | "f32";
  /** Lanes a workgroup. */
  readonly lanes: number;
  /** Outputs an item, of each matrix that is in it. */
  readonly outputs: number;
};

/** Storage buffers that q, k and v in one dispatch take. */
const QKV_BUFFERS = 10;

/** Whether the kernels of this folder run here: they add up within subgroups, blocks of 32 weights. */
function isFused({ K, groupSize }: RowProjectionShape, capabilities: Capabilities): boolean {
  const inBlocks = K % 32 === 0 && groupSize % 32 === 0;
  return inBlocks && !capabilities.software && capabilities.subgroups !== undefined;
}

/** Dispatches of a route of one row, with its operands renamed. */
function renamed<T>(
  route: Route<T>,
  live: T,
  names: Readonly<Record<string, string>>,
): DispatchTemplate<Live>[] {
  return route.dispatches.map(({ kernel, bind, params, grid, work }) => ({
    kernel,
    bind: Object.fromEntries(
      Object.entries(bind).map(([binding, operand]) => [binding, names[operand] ?? operand]),
    ),
    params: () => params(live),
    grid: () => grid(live),
    work: () => renamedWork(work?.(live) ?? {}, names),
  }));
}

function renamedWork(
  { bytes = {}, ...work }: StatedWork,
  names: Readonly<Record<string, string>>,
): StatedWork {
  const renamed = Object.entries(bytes).map(([name, count]) => [names[name] ?? name, count]);
  return { ...work, bytes: Object.fromEntries(renamed) as Record<string, number> };
}

/** How the kernels see x: which operand or scratch buffer it is, and what fills that. */
interface Input {
  readonly name: string;
  readonly source: string;
  readonly operand: string;
  readonly scratch: Readonly<Record<string, number>>;
  /** Whether the projection has to finish the norm. */
  readonly lacksFactor: boolean;
  readonly dispatches: readonly DispatchTemplate<Live>[];
}

/** x as it is, or normalised by the operator for that. */
function plainInput({ K, norm }: RowProjectionShape, capabilities: Capabilities): Input {
  const input = { name: "f32", source: inputF32, lacksFactor: false };
  if (norm === undefined) return { ...input, operand: "x", scratch: {}, dispatches: [] };
  const route = rmsNorm({ width: K, epsilon: norm.epsilon }, capabilities);
  return {
    ...input,
    operand: "normed",
    scratch: { normed: 4 * K },
    dispatches: renamed(route, { rows: 1 }, { weight: "norm", out: "normed" }),
  };
}

/** x as two int8 limbs; with a norm but for its factor, which the projection multiplies with. */
function limbInput({ K, norm }: RowProjectionShape, capabilities: Capabilities): Input {
  const kernel = defineKernel({
    label: norm === undefined ? "write_limbs" : "rms_norm_limbs",
    parts: [writeLimbsSource],
    constants: { NORM: norm !== undefined },
    overrides: { WORKGROUP_SIZE: LIMB_LANES },
  });
  const groups = K / LIMB_GROUP_SIZE;
  const workgroups = clampWorkgroupCount(divideCeil(groups, LIMB_LANES), capabilities);
  return {
    name: "limbs",
    source: inputLimbs,
    operand: "limbs",
    scratch: { limbs: groups * LIMB_GROUP_BYTES },
    lacksFactor: norm !== undefined,
    dispatches: [
      {
        kernel,
        bind: { limbs: "limbs", x: "x", weight: norm === undefined ? "x" : "norm" },
        params: () => ({ width: K }),
        grid: () => [workgroups, 1, 1],
      },
    ],
  };
}

interface Projection {
  readonly name: string;
  readonly parts: readonly string[];
  /** Rows of each part of the result, which no item crosses. */
  readonly rows: readonly number[];
  /** Outputs an item where nothing was measured. */
  readonly outputs: number;
  readonly bind: Readonly<Record<string, string>>;
  readonly params: Readonly<Record<string, number>>;
  readonly work: StatedWork;
}

/** The layouts that a device can run, the one for unmeasured devices first. */
function variants(
  { K }: RowProjectionShape,
  { outputs }: Projection,
  { integerDot, subgroups, limits }: Capabilities,
): readonly [Variant, ...Variant[]] {
  const atLeast = subgroups?.minSize ?? 0;
  const atMost = limits.maxComputeInvocationsPerWorkgroup;
  const wanted = K <= SHORT_K ? SHORT_K_LANES : LONG_K_LANES;
  const lanes = Math.min(Math.max(wanted, atLeast), atMost);
  const blocks = K / 32;
  return variantsOf<Variant>(
    { input: integerDot ? "limbs" : "f32", lanes, outputs },
    {
      input: integerDot ? ["limbs", "f32"] : ["f32"],
      lanes: LANES.filter(
        (count) => count >= atLeast && count <= atMost && count <= Math.max(blocks, lanes),
      ),
      outputs: OUTPUTS,
    },
  );
}

/** What fills the input, then one dispatch over all matrices. */
function fused(
  shape: RowProjectionShape,
  projection: Projection,
  variant: Variant,
  capabilities: Capabilities,
): Route<Live> {
  const { K, groupSize, scaleType, norm } = shape;
  const { lanes, outputs } = variant;
  const input =
    variant.input === "limbs" ? limbInput(shape, capabilities) : plainInput(shape, capabilities);
  const items = projection.rows.reduce((sum, rows) => sum + divideCeil(rows, outputs), 0);
  const kernel: Kernel = defineKernel({
    label: `${projection.name}_q4gsw_${input.name}`,
    parts: [input.source, ...projection.parts, projectSource],
    constants: {
      OUTPUTS: outputs,
      BLOCKS_PER_GROUP: groupSize / 32,
      SCALES_F16: scaleType === "f16",
      NORM: input.lacksFactor,
    },
    overrides: { WORKGROUP_SIZE: lanes },
  });
  return {
    name: `${projection.name}_${input.name}`,
    scratch: input.scratch,
    dispatches: [
      ...input.dispatches,
      {
        kernel,
        bind: { x: input.operand, ...projection.bind },
        params: () => ({ K, epsilon: norm?.epsilon ?? 0, ...projection.params }),
        grid: () => [clampWorkgroupCount(items, capabilities), 1, 1],
        work: () => projection.work,
      },
    ],
  };
}

/** The fused routes and the separate operators, in whichever order suits an unmeasured device. */
function tunable(
  shape: RowProjectionShape,
  projection: Projection,
  separate: () => Route<Live>,
  capabilities: Capabilities,
  fits = true,
): Tunable<Live> {
  const { K, groupSize, scaleType, norm } = shape;
  const apart: Candidate<Live> = { name: "separate", route: separate };
  const candidate = (variant: Variant): Candidate<Live> => ({
    name: variantName(variant),
    route: () => fused(shape, projection, variant, capabilities),
  });
  const together =
    fits && isFused(shape, capabilities) ? variants(shape, projection, capabilities) : [];
  const [first, ...others] = together;
  const N = projection.rows.join("+");
  return {
    key: `${projection.name}_row_q4gsw N=${N} K=${K} g${groupSize} ${scaleType}${norm ? " norm" : ""}`,
    candidates: first === undefined ? [apart] : [candidate(first), ...others.map(candidate), apart],
    trials: [{ live: {} }],
    tolerance: K <= 4096 ? { absolute: 1e-4, relative: 1e-3 } : { absolute: 1e-3, relative: 1e-2 },
    magnitudes: Object.fromEntries(
      Object.values(projection.bind)
        .filter((operand) => operand.endsWith("scales"))
        .map((operand) => [operand, scaleMagnitude(K)]),
    ),
  };
}

/** One matrix through the operator for that. */
function separateLinear(
  { K, groupSize, scaleType }: RowProjectionShape,
  N: number,
  names: Readonly<Record<string, string>>,
  capabilities: Capabilities,
  outOffset = 0,
): DispatchTemplate<Live>[] {
  const shape = { N, K, groupSize, scaleType, hasBias: false, rows: "one", outOffset } as const;
  return renamed(linearQ4gsw(shape, capabilities), { M: 1 }, names);
}

/** `norm_linear_q4gsw` for a matrix of N rows, or one shard of it. */
export interface NormLinearShape extends RowProjectionShape {
  readonly N: number;
  /** The first element of `out` this shard writes. */
  readonly outOffset?: number;
}

/**
 * out = weight · rms_norm(x). Operands x f32 [K], norm f32 [K] (if the shape has one), weight [N, K / 8]
 * words and scales [N, K / groupSize] as `linear_q4gsw` has them, out f32 of outOffset + N elements.
 */
export function normLinearQ4gsw(shape: NormLinearShape, capabilities: Capabilities): Route<Live> {
  return defaultRoute(normLinearTunable(shape, capabilities));
}

/** The routes that `normLinearQ4gsw` has for a shape on a device. */
export function normLinearTunable(
  shape: NormLinearShape,
  capabilities: Capabilities,
): Tunable<Live> {
  const { N, K, outOffset = 0 } = shape;
  const projection = {
    name: "linear",
    parts: [linearSource],
    rows: [N],
    outputs: 4,
    bind: { out: "out", weight: "weight", scales: "scales" },
    params: { N, out_offset: outOffset },
    work: { ...productWork(1, N, K), bytes: { out: 4 * N } },
  };
  const separate = () => separateNormLinear(shape, capabilities);
  return tunable(shape, projection, separate, capabilities);
}

function separateNormLinear(shape: NormLinearShape, capabilities: Capabilities): Route<Live> {
  const { N, outOffset = 0 } = shape;
  const input = plainInput(shape, capabilities);
  return {
    name: "linear_separate",
    scratch: input.scratch,
    dispatches: [
      ...input.dispatches,
      ...separateLinear(shape, N, { x: input.operand }, capabilities, outOffset),
    ],
  };
}

/** `swiglu_q4gsw` for two matrices of N rows. */
export interface SwigluShape extends RowProjectionShape {
  readonly N: number;
}

/**
 * SwiGLU's hidden row (Shazeer, 2020): out = silu(gate · x) · (up · x), x normalised if the shape has
 * that. Operands x f32 [K], norm f32 [K], gate and up [N, K / 8] words, gate_scales and up_scales, out
 * f32 [N].
 */
export function swigluQ4gsw(shape: SwigluShape, capabilities: Capabilities): Route<Live> {
  return defaultRoute(swigluTunable(shape, capabilities));
}

/** The routes that `swigluQ4gsw` has for a shape on a device. */
export function swigluTunable(shape: SwigluShape, capabilities: Capabilities): Tunable<Live> {
  const { N, K } = shape;
  const operands = ["out", "gate", "gate_scales", "up", "up_scales"];
  const projection = {
    name: "swiglu",
    parts: [sigmoid, swigluSource],
    rows: [N],
    outputs: 2,
    bind: Object.fromEntries(operands.map((name) => [name, name])),
    params: { N },
    work: productWork(1, 2 * N, K),
  };
  return tunable(shape, projection, () => separateSwiglu(shape, capabilities), capabilities);
}

function separateSwiglu(shape: SwigluShape, capabilities: Capabilities): Route<Live> {
  const { N } = shape;
  const input = plainInput(shape, capabilities);
  const part = (matrix: "gate" | "up") =>
    separateLinear(
      shape,
      N,
      { x: input.operand, weight: matrix, scales: `${matrix}_scales`, out: `${matrix}_out` },
      capabilities,
    );
  return {
    name: "swiglu_separate",
    scratch: { ...input.scratch, gate_out: 4 * N, up_out: 4 * N },
    dispatches: [
      ...input.dispatches,
      ...part("gate"),
      ...part("up"),
      ...renamed(siluMul({}, capabilities), { count: N }, { gate: "gate_out", up: "up_out" }),
    ],
  };
}

/** `qkv_q4gsw`: rows of the three matrices. */
export interface QkvShape extends RowProjectionShape {
  readonly rows: readonly [q: number, k: number, v: number];
}

/**
 * Three projections of one row, normalised first if the shape has that. Operands x f32 [K], norm f32
 * [K], for each of q, k and v: itself [rows, K / 8] words, q_scales, q_out f32 [rows].
 */
export function qkvQ4gsw(shape: QkvShape, capabilities: Capabilities): Route<Live> {
  return defaultRoute(qkvTunable(shape, capabilities));
}

/** The routes that `qkvQ4gsw` has for a shape on a device. */
export function qkvTunable(shape: QkvShape, capabilities: Capabilities): Tunable<Live> {
  const [qRows, kRows, vRows] = shape.rows;
  const operands = ["q", "k", "v"].flatMap((name) => [name, `${name}_scales`, `${name}_out`]);
  const projection = {
    name: "qkv",
    parts: [qkvSource],
    rows: shape.rows,
    outputs: 4,
    bind: Object.fromEntries(operands.map((name) => [name, name])),
    params: { q_rows: qRows, k_rows: kRows, v_rows: vRows },
    work: productWork(1, qRows + kRows + vRows, shape.K),
  };
  const separate = () => separateQkv(shape, capabilities);
  const enoughBuffers = capabilities.limits.maxStorageBuffersPerShaderStage >= QKV_BUFFERS;
  return tunable(shape, projection, separate, capabilities, enoughBuffers);
}

function separateQkv(shape: QkvShape, capabilities: Capabilities): Route<Live> {
  const input = plainInput(shape, capabilities);
  const parts = (["q", "k", "v"] as const).flatMap((name, index) =>
    separateLinear(
      shape,
      shape.rows[index] ?? 0,
      { x: input.operand, weight: name, scales: `${name}_scales`, out: `${name}_out` },
      capabilities,
    ),
  );
  return {
    name: "qkv_separate",
    scratch: input.scratch,
    dispatches: [...input.dispatches, ...parts],
  };
}
