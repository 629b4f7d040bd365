/** Operators on rows as halves (src/kernels/shared/halves.ts): what passes make of a prompt's layers. */
import { linearHalvesQ4gsw, linearQ4gswTunable } from "../../kernels/linear_q4gsw/linear-q4gsw.ts";
import type { LinearQ4gswShape } from "../../kernels/linear_q4gsw/linear-q4gsw.ts";
import { swigluHalvesQ4gsw } from "../../kernels/linear_q4gsw/swiglu-halves.ts";
import { rmsNormHalves } from "../../kernels/rms_norm/rms-norm.ts";
import { HALVES_MIN_CAPACITY } from "../../kernels/shared/halves.ts";
import type { Tunable } from "../../kernels/shared/tunable.ts";
import type { Tensor } from "../ir.ts";
import { maxOf, sameInt } from "../symint.ts";
import type { IntLike } from "../symint.ts";
import { normEpsilon } from "./attention.ts";
import { call, fixedDim, onlyResult, readArguments } from "./op.ts";
import type { ArgumentReader, Call, LowerContext, Op, Operand, ResultType } from "./op.ts";
import { checkPlanes, linearShards, Q4GSW_ADD, rowSizes, scaleType } from "./quantized.ts";
import type { RowSizes } from "./quantized.ts";

/** M rows of K values as halves. */
export const halvesType = ({ M, K }: RowSizes): ResultType => ({
  dtype: "f16",
  dims: [K / 8, M, 8],
});

/** Whether a tensor of such rows can be halves: it holds few rows as f32. */
export const canBeHalves = ({ M, K }: RowSizes): boolean =>
  K % 8 === 0 && maxOf(M) >= HALVES_MIN_CAPACITY;

function halvesSizes(args: ArgumentReader, index: number): RowSizes {
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
 * What a device is asked to choose from for a projection that takes halves: its other kernels cannot. Where
 * it chose one of those, the pass leaves the projection as it was.
 */
function asked(
  shape: LinearQ4gswShape,
  operands: Readonly<Record<string, Operand>>,
  M: IntLike,
  { capabilities }: LowerContext,
): Pick<Call, "tunable" | "tunedOperands"> {
  const tunable = linearQ4gswTunable(shape, capabilities);
  if (tunable.candidates.length === 1) return {};
  const { N, K, outStride = N } = shape;
  const rows = (name: string, width: number): Tensor => ({
    kind: "tensor",
    name,
    dtype: "f32",
    dims: [M, width],
    storage: { kind: "activation" },
  });
  return {
    tunable: tunable as Tunable<unknown>,
    tunedOperands: { ...operands, x: rows("x", K), out: rows("out", outStride) },
  };
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
      ...asked(shape, operands, sizes.M, context),
    }));
  },
};

/** [x as halves, gate's weight and scales, up's, group size] → halves of silu(x · gateᵀ) · (x · upᵀ). */
export const swigluHalvesQ4gswOp: Op = {
  infer(args) {
    const { M, K } = halvesSizes(args, 0);
    const outputs = (index: number): number => {
      const weight = args.typed(index, "u8");
      checkPlanes(args, weight, args.typed(index + 1, "f16", "f32"), K, args.constantInt(5));
      return fixedDim(weight, 0);
    };
    const [gate, up] = [outputs(1), outputs(3)];
    args.check(gate === up, () => `gate has ${gate} rows, up ${up}`);
    return [halvesType({ M, K: gate })];
  },
  lower(node, context) {
    const args = readArguments(node);
    const { M, K } = halvesSizes(args, 0);
    const [gate, gate_scales] = [args.tensor(1), args.tensor(2)];
    const operands = {
      x: args.tensor(0),
      gate,
      gate_scales,
      up: args.tensor(3),
      up_scales: args.tensor(4),
    };
    const shape = {
      N: fixedDim(gate, 0),
      K,
      groupSize: args.constantInt(5),
      scaleType: scaleType(gate_scales),
      maxM: maxOf(M),
    };
    const one = { ...shape, hasBias: false, rows: "many" } as const;
    return [
      {
        ...call(
          swigluHalvesQ4gsw(shape, context.capabilities),
          { ...operands, out: onlyResult(node) },
          (values) => ({ M: values.get(M) }),
        ),
        ...asked(one, { weight: gate, scales: gate_scales }, M, context),
      },
    ];
  },
};
