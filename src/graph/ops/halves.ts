/** Operators on rows as halves (src/kernels/shared/halves.ts): what passes make of a prompt's layers. */
import { linearHalvesQ4gsw, linearQ4gswTunable } from "../../kernels/linear_q4gsw/linear-q4gsw.ts";
import type { LinearQ4gswShape } from "../../kernels/linear_q4gsw/linear-q4gsw.ts";
import { qkvHalvesQ4gsw } from "../../kernels/linear_q4gsw/qkv-halves.ts";
import { swigluHalvesQ4gsw } from "../../kernels/linear_q4gsw/swiglu-halves.ts";
import { rmsNormHalves } from "../../kernels/rms_norm/rms-norm.ts";
import { HALVES_MIN_CAPACITY } from "../../kernels/shared/halves.ts";
import type { Tunable } from "../../kernels/shared/tunable.ts";
import type { Tensor } from "../ir.ts";
import { maxOf, sameInt } from "../symint.ts";
import type { IntLike } from "../symint.ts";
import { normEpsilon } from "./attention.ts";
import { call, fixedDim, onlyResult, readArguments } from "./op.ts";
import type { ArgumentReader, LowerContext, Op, Operand, ReplacedCall, ResultType } from "./op.ts";
import { checkPlanes, linearShards, Q4GSW_ADD, rowSizes, scaleType } from "./quantized.ts";
import type { RowSizes } from "./quantized.ts";
import { joinedMatrices } from "./row-arguments.ts";

/** M rows of K values as halves. */
export const halvesType = ({ M, K }: RowSizes): ResultType => ({
  dtype: "f16",
  dims: [K / 8, M, 8],
});

/** Whether a tensor of such rows can be halves: it holds few rows as f32. */
export const canBeHalves = ({ M, K }: RowSizes): boolean =>
  K % 8 === 0 && maxOf(M) >= HALVES_MIN_CAPACITY;

/** Sizes of an argument that is halves. */
export function halvesSizes(args: ArgumentReader, index: number): RowSizes {
  const x = args.typed(index, "f16");
  const [octets, M, eight] = x.dims;
  args.check(
    x.dims.length === 3 && typeof octets === "number" && eight === 8,
    () => `"${x.name}" is not halves`,
  );
  return { M: M ?? 0, K: 8 * fixedDim(x, 0) };
}

/** [x [..., K] f32, weight [K], epsilon | nothing] → halves of rms_norm's rows. */
export const rmsNormHalvesOp: Op = {
  infer(args) {
    const sizes = rowSizes(args.typed(0, "f32"));
    const weight = args.typed(1, "f32");
    args.check(fixedDim(weight, 0) === sizes.K, () => `the weight is not of ${sizes.K}`);
    args.support(canBeHalves(sizes), () => `up to ${maxOf(sizes.M)} rows of ${sizes.K}`);
    return [halvesType(sizes)];
  },
  lower(node, { capabilities }) {
    const args = readArguments(node);
    const x = args.tensor(0);
    const { M, K } = rowSizes(x);
    return [
      call(
        rmsNormHalves({ width: K, epsilon: normEpsilon(args) }, capabilities),
        { x, weight: args.tensor(1), out: onlyResult(node) },
        (values) => ({ rows: values.get(M) }),
      ),
    ];
  },
};

/**
 * The projections of f32 rows that one of halves is in place of: a device is still asked about them, and
 * where it chose kernels that take no halves, the pass leaves them as they were.
 */
function replacedLinear(
  shape: LinearQ4gswShape,
  operands: Readonly<Record<string, Operand>>,
  M: IntLike,
  { capabilities }: LowerContext,
): readonly ReplacedCall[] {
  const tunable = linearQ4gswTunable(shape, capabilities);
  if (tunable.candidates.length === 1) return [];
  const { N, K, outStride = N } = shape;
  const rows = (name: string, width: number): Tensor => ({
    kind: "tensor",
    name,
    dtype: "f32",
    dims: [M, width],
    storage: { kind: "activation" },
  });
  return [
    {
      tunable: tunable as Tunable<unknown>,
      operands: { ...operands, x: rows("x", K), out: rows("out", outStride) },
    },
  ];
}

/** [x as halves, weight, scales, group size, bias | null, residual | null] → [M, N], or as residual. */
export const linearHalvesQ4gswOp: Op = {
  infer(args) {
    const { M, K } = halvesSizes(args, 0);
    const weight = args.typed(1, "u8");
    checkPlanes(args, weight, args.typed(2, "f16", "f32"), K, args.constantInt(3));
    const N = fixedDim(weight, 0);
    const residual = args.optionalTensor(5);
    if (residual === undefined) return [{ dtype: "f32", dims: [M, N] }];
    const added = rowSizes(args.typed(5, "f32"));
    args.check(
      sameInt(added.M, M) && added.K === N,
      () => `"${residual.name}" is not shaped like the projection`,
    );
    return [{ dtype: "f32", dims: residual.dims }];
  },
  lower(node, context) {
    const sizes = halvesSizes(readArguments(node), 0);
    return linearShards(node, sizes, Q4GSW_ADD, context).map(({ shape, operands }) => ({
      ...call(linearHalvesQ4gsw(shape, context.capabilities), operands, (values) => ({
        M: values.get(sizes.M),
      })),
      replaced: replacedLinear(shape, operands, sizes.M, context),
    }));
  },
};

/** What projections as one product have in common. */
interface JoinedArguments {
  readonly sizes: RowSizes;
  readonly matrices: readonly (readonly [weight: Tensor, scales: Tensor])[];
  /** Outputs of each. */
  readonly rows: readonly number[];
  readonly groupSize: number;
  readonly scaleType: "f16" | "f32";
}

/** [x as halves, group size, weight, scales, weight, …] of so many matrices. */
function joinedArguments(args: ArgumentReader, count: number): JoinedArguments {
  const sizes = halvesSizes(args, 0);
  const group = args.constantInt(1);
  const matrices = Array.from({ length: count }, (_, index) => {
    const [weight, scales] = [args.typed(2 + 2 * index, "u8"), args.tensor(3 + 2 * index)] as const;
    checkPlanes(args, weight, args.typed(3 + 2 * index, "f16", "f32"), sizes.K, group);
    return [weight, scales] as const;
  });
  const types = new Set(matrices.map(([, scales]) => scaleType(scales)));
  args.check(types.size === 1, () => "scales differ in type");
  const [type = "f32"] = types;
  const rows = matrices.map(([weight]) => fixedDim(weight, 0));
  return { sizes, matrices, rows, groupSize: group, scaleType: type };
}

/** What the matrices were projections with, by themselves. */
const replacedLinears = (
  { sizes: { M, K }, matrices, rows, ...shape }: JoinedArguments,
  context: LowerContext,
): readonly ReplacedCall[] =>
  matrices.flatMap(([weight, scales], index) => {
    const linear = { ...shape, N: rows[index] ?? 0, K, maxM: maxOf(M) };
    const rowsOfIt = { ...linear, hasBias: false, rows: "many" } as const;
    return replacedLinear(rowsOfIt, { weight, scales }, M, context);
  });

/** [x as halves, group size, gate's weight and scales, up's] → halves of silu(x · gateᵀ) · (x · upᵀ). */
export const swigluHalvesQ4gswOp: Op = {
  infer(args) {
    const { sizes, rows } = joinedArguments(args, 2);
    const [gate = 0, up] = rows;
    args.check(gate === up, () => `gate has ${gate} rows, up ${up}`);
    return [halvesType({ M: sizes.M, K: gate })];
  },
  lower(node, context) {
    const args = readArguments(node);
    const joined = joinedArguments(args, 2);
    const { sizes, matrices, rows, groupSize, scaleType } = joined;
    const [[gate, gate_scales], [up, up_scales]] = matrices as [Matrix, Matrix];
    const shape = { N: rows[0] ?? 0, K: sizes.K, groupSize, scaleType, maxM: maxOf(sizes.M) };
    return [
      {
        ...call(
          swigluHalvesQ4gsw(shape, context.capabilities),
          { x: args.tensor(0), gate, gate_scales, up, up_scales, out: onlyResult(node) },
          (values) => ({ M: values.get(sizes.M) }),
        ),
        replaced: replacedLinears(joined, context),
      },
    ];
  },
};

type Matrix = readonly [weight: Tensor, scales: Tensor];

/**
 * [x as halves, group size, q's weight and scales, k's, v's] → q, k and v of x, [M, N] each. The matrices
 * lie one after another: see `joinedMatrices`.
 */
export const qkvHalvesQ4gswOp: Op = {
  infer(args) {
    const { sizes, rows } = joinedArguments(args, 3);
    return rows.map((N) => ({ dtype: "f32", dims: [sizes.M, N] }));
  },
  lower(node, context) {
    const args = readArguments(node);
    const joined = joinedArguments(args, 3);
    const { sizes, matrices, groupSize, scaleType } = joined;
    const [[q, q_scales], [k, k_scales], [v, v_scales]] = matrices as [Matrix, Matrix, Matrix];
    const [q_out, k_out, v_out] = node.results as [Tensor, Tensor, Tensor];
    const whole = joinedMatrices(matrices);
    if (whole === undefined) throw new Error(`graph: ${node.op}: its matrices are not joined`);
    const rows = joined.rows as [number, number, number];
    const shape = { rows, K: sizes.K, groupSize, scaleType, maxM: maxOf(sizes.M) };
    const each = { q, q_scales, k, k_scales, v, v_scales, q_out, k_out, v_out };
    return [
      {
        ...call(
          qkvHalvesQ4gsw(shape, context.capabilities),
          { x: args.tensor(0), ...whole, ...each },
          (values) => ({ M: values.get(sizes.M) }),
        ),
        replaced: replacedLinears(joined, context),
      },
    ];
  },
};
