/**
 * Projections of one row by several 4-bit matrices at once, with the normalisation before them and the
 * activation after them: what a decoded token spends its time on. On a GPU each is one or two
 * dispatches; elsewhere it is the operators it stands for, one after another.
 */
import { UnsupportedError } from "../../errors.ts";
import type { Capabilities } from "../../gpu/capabilities.ts";
import type { DispatchTemplate, Route } from "../../gpu/kernel.ts";
import { productWork } from "../../gpu/work.ts";
import { linearQ4gsw } from "../linear_q4gsw/linear-q4gsw.ts";
import sigmoid from "../shared/sigmoid.wgsl";
import { defaultRoute } from "../shared/tunable.ts";
import type { Tunable } from "../shared/tunable.ts";
import { siluMul } from "../silu_mul/silu-mul.ts";
import { rowTunable } from "./fused-projection.ts";
import type { Projection } from "./fused-projection.ts";
import linearMatrixSource from "./linear-matrix.wgsl";
import linearSource from "./linear.wgsl";
import qkvCacheF16 from "./qkv-cache-f16.wgsl";
import qkvCacheF32 from "./qkv-cache-f32.wgsl";
import qkvMatrixSource from "./qkv-matrix.wgsl";
import qkvRotarySource from "./qkv-rotary.wgsl";
import qkvSource from "./qkv.wgsl";
import { isFused, plainInput, renamed } from "./row-input.ts";
import type { NothingLive, RowProjectionShape } from "./row-input.ts";
import swigluSource from "./swiglu.wgsl";

/** The input of operators that run one after another: never limbs. */
function separateInput(shape: RowProjectionShape, capabilities: Capabilities) {
  if (shape.input === "limbs") {
    throw new UnsupportedError(
      `row_projection_q4gsw: a row of limbs for K ${shape.K}, groups of ${shape.groupSize}; ` +
        `supported: multiples of 32, on devices with subgroups and integer dot products`,
    );
  }
  return plainInput(shape, capabilities);
}

/** One matrix through the operator for that. */
function separateLinear(
  { K, groupSize, scaleType }: RowProjectionShape,
  N: number,
  names: Readonly<Record<string, string>>,
  capabilities: Capabilities,
  outOffset = 0,
): DispatchTemplate<NothingLive>[] {
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
export function normLinearQ4gsw(
  shape: NormLinearShape,
  capabilities: Capabilities,
): Route<NothingLive> {
  return defaultRoute(normLinearTunable(shape, capabilities));
}

/** The routes that `normLinearQ4gsw` has for a shape on a device. */
export function normLinearTunable(
  shape: NormLinearShape,
  capabilities: Capabilities,
): Tunable<NothingLive> {
  const { N, K, outOffset = 0 } = shape;
  const projection = {
    name: "linear",
    parts: [linearMatrixSource, linearSource],
    rows: [N],
    outputs: 4,
    bind: { out: "out", weight: "weight", scales: "scales" },
    params: { N, out_offset: outOffset },
    work: { ...productWork(1, N, K), bytes: { out: 4 * N } },
  };
  const separate = () => separateNormLinear(shape, capabilities);
  return rowTunable(shape, projection, separate, capabilities);
}

function separateNormLinear(
  shape: NormLinearShape,
  capabilities: Capabilities,
): Route<NothingLive> {
  const { N, outOffset = 0 } = shape;
  const input = separateInput(shape, capabilities);
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
export function swigluQ4gsw(shape: SwigluShape, capabilities: Capabilities): Route<NothingLive> {
  return defaultRoute(swigluTunable(shape, capabilities));
}

/** The routes that `swigluQ4gsw` has for a shape on a device. */
export function swigluTunable(
  shape: SwigluShape,
  capabilities: Capabilities,
): Tunable<NothingLive> {
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
  return rowTunable(shape, projection, () => separateSwiglu(shape, capabilities), capabilities);
}

function separateSwiglu(shape: SwigluShape, capabilities: Capabilities): Route<NothingLive> {
  const { N } = shape;
  const input = separateInput(shape, capabilities);
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
  /** The matrices lie one after another: operands weight and scales are all their rows. */
  readonly joined: boolean;
}

/**
 * Three projections of one row, normalised first if the shape has that. Operands x f32 [K], norm f32
 * [K], weight and scales with `joined`, and for each of q, k and v: itself [rows, K / 8] words,
 * q_scales, q_out f32 [rows].
 */
export function qkvQ4gsw(shape: QkvShape, capabilities: Capabilities): Route<NothingLive> {
  return defaultRoute(qkvTunable(shape, capabilities));
}

/** The routes that `qkvQ4gsw` has for a shape on a device. */
export function qkvTunable(shape: QkvShape, capabilities: Capabilities): Tunable<NothingLive> {
  const [q_rows, k_rows, v_rows] = shape.rows;
  const operands = ["weight", "scales", "q_out", "k_out", "v_out"];
  const projection = {
    name: "qkv",
    parts: [qkvMatrixSource, qkvSource],
    rows: shape.rows,
    outputs: 4,
    bind: Object.fromEntries(operands.map((name) => [name, name])),
    params: { q_rows, k_rows, v_rows },
    work: productWork(1, q_rows + k_rows + v_rows, shape.K),
  };
  const separate = () => separateQkv(shape, capabilities);
  return rowTunable(shape, projection, separate, capabilities, shape.joined);
}

function separateQkv(shape: QkvShape, capabilities: Capabilities): Route<NothingLive> {
  const input = separateInput(shape, capabilities);
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

/** `qkv_rotary_q4gsw`: three projections of one row, as far as attention's caches. */
export interface QkvRotaryShape extends RowProjectionShape {
  readonly heads: number;
  readonly kvHeads: number;
  /** Values a head, D: a multiple of 4. */
  readonly headSize: number;
  /** Of a head's values, from the first; even. All of them with the layout "half". */
  readonly rotarySize: number;
  readonly layout: "interleaved" | "half";
  /** Row length of the tables, as in `apply_rotary_emb`. */
  readonly tableWidth: number;
  readonly cacheLength: number;
  readonly cacheType: "f16" | "f32";
}

/** One more than every device has. */
const ROTARY_BINDINGS = 9;

/** Whether {@link qkvRotaryTunable} serves the shape on this device. */
export function fusesQkvRotary(
  shape: Pick<QkvRotaryShape, "K" | "groupSize" | "headSize" | "rotarySize" | "layout">,
  capabilities: Capabilities,
): boolean {
  const { headSize, rotarySize, layout } = shape;
  const turns = layout === "interleaved" || rotarySize === headSize;
  const binds = capabilities.limits.maxStorageBuffersPerShaderStage >= ROTARY_BINDINGS;
  return turns && binds && headSize % 4 === 0 && isFused(shape, capabilities);
}

/**
 * The routes for q, k and v of one row: q and k rotated at input_pos (`apply_rotary_emb`), k and v
 * stored in row input_pos of the caches (`update_cache`). Operands x f32 [K] or limbs, norm f32 [K],
 * weight and scales of all rows (q's heads, then k's, then v's), cos and sin f32 [positions,
 * tableWidth], input_pos i32 [1], q_out f32 [heads, D], k_cache and v_cache [cacheLength, kvHeads, D].
 * Throws `UnsupportedError` unless {@link fusesQkvRotary}.
 */
export function qkvRotaryTunable(
  shape: QkvRotaryShape,
  capabilities: Capabilities,
): Tunable<NothingLive> {
  const { K, heads, kvHeads, headSize, rotarySize, layout, tableWidth, cacheLength } = shape;
  const unsupported = () => {
    throw new UnsupportedError(
      `qkv_rotary_q4gsw: K ${K}, groups of ${shape.groupSize}, head size ${headSize} ` +
        `(${layout}, ${rotarySize} rotated); supported: K and groups in multiples of 32, head ` +
        `sizes in multiples of 4, halves of whole heads, devices with subgroups`,
    );
  };
  if (!fusesQkvRotary(shape, capabilities)) unsupported();
  const [q_rows, kv_rows] = [heads * headSize, kvHeads * headSize];
  const halves = layout === "half";
  const cacheRow = (shape.cacheType === "f16" ? 2 : 4) * kv_rows;
  const projection: Projection = {
    name: "qkv_rotary",
    parts: [
      shape.cacheType === "f16" ? qkvCacheF16 : qkvCacheF32,
      qkvMatrixSource,
      qkvRotarySource,
    ],
    rows: [q_rows, kv_rows, kv_rows],
    outputs: 4,
    fixedOutputs: true,
    constants: {
      HALVES: halves,
      PARTNER_COLUMN: halves && tableWidth >= rotarySize ? rotarySize / 2 : 0,
    },
    bind: {
      weight: "weight",
      scales: "scales",
      q_out: "q_out",
      k_cache: "k_cache",
      v_cache: "v_cache",
      cos_table: "cos",
      sin_table: "sin",
      input_pos: "input_pos",
    },
    params: {
      q_rows,
      k_rows: kv_rows,
      v_rows: kv_rows,
      head_size: headSize,
      rotary_pairs: rotarySize / 2,
      table_width: tableWidth,
      cache_length: cacheLength,
    },
    work: {
      ...productWork(1, q_rows + 2 * kv_rows, K),
      bytes: { k_cache: cacheRow, v_cache: cacheRow, cos: 4 * tableWidth, sin: 4 * tableWidth },
    },
  };
  const made = rowTunable(shape, projection, unsupported, capabilities);
  const [first, ...others] = made.candidates;
  return { ...made, candidates: [first, ...others.filter(({ name }) => name !== "separate")] };
}
