/** 4-bit projections. */
import { chooseQparams } from "../../kernels/choose_qparams/choose-qparams.ts";
import { linearDq8caQ4gswTunable } from "../../kernels/linear_dq8ca_q4gsw/linear-dq8ca-q4gsw.ts";
import { linearQ4gswTunable } from "../../kernels/linear_q4gsw/linear-q4gsw.ts";
import { linearQcs4wTunable } from "../../kernels/linear_qcs4w/linear-qcs4w.ts";
import type { Tunable } from "../../kernels/shared/tunable.ts";
import { elementCount } from "../ir.ts";
import type { Node, Tensor } from "../ir.ts";
import { maxOf, sameInt, symIntExpression } from "../symint.ts";
import type { IntLike } from "../symint.ts";
import { call, fixedDim, onlyResult, readArguments, tunedCall } from "./op.ts";
import type { ArgumentReader, Call, LowerContext, Op, Operand, ResultType } from "./op.ts";

/** Scales in the planes' element type. */
export function scaleType(scales: Tensor): "f16" | "f32" {
  return scales.dtype === "f16" ? "f16" : "f32";
}

export function checkPlanes(
  args: ArgumentReader,
  weight: Tensor,
  scales: Tensor,
  K: number,
  group: number,
) {
  const N = fixedDim(weight, 0);
  args.check(group > 0 && K % group === 0, () => `K ${K} is no multiple of group size ${group}`);
  args.check(
    fixedDim(weight, 1) === Math.ceil(K / 8) * 4,
    () => `a weight row has ${fixedDim(weight, 1)} bytes; K ${K} needs ${Math.ceil(K / 8) * 4}`,
  );
  args.check(
    fixedDim(scales, 0) === N && fixedDim(scales, 1) === K / group,
    () => `scales are [${scales.dims.map(maxOf).join(", ")}], must be [${N}, ${K / group}]`,
  );
}

/** Where a 4-bit projection has its operands, its group size and its bias. */
export interface LinearArguments {
  readonly weight: number;
  readonly scales: number;
  /** Undefined where a row is one group. */
  readonly group: number | undefined;
  readonly bias: number | undefined;
  /** What is added to the result, where the operator has that. */
  readonly residual?: number;
}

/** What a projection of N rows, or one shard of them, is given to choose a route. */
export interface LinearShape {
  readonly N: number;
  readonly K: number;
  readonly groupSize: number;
  readonly scaleType: "f16" | "f32";
  readonly hasBias: boolean;
  readonly hasResidual: boolean;
  readonly rows: "one" | "many";
  readonly maxM: number;
  readonly outStride: number;
  readonly outOffset: number;
}

function groupSize(args: ArgumentReader, { group }: LinearArguments): number {
  return group === undefined ? fixedDim(args.tensor(0), -1) : args.constantInt(group);
}

function inferLinear(args: ArgumentReader, where: LinearArguments): ResultType[] {
  const x = args.typed(0, "f32");
  const weight = args.typed(where.weight, "u8");
  const scales = args.typed(where.scales, "f16", "f32");
  checkPlanes(args, weight, scales, fixedDim(x, -1), groupSize(args, where));
  const bias = where.bias === undefined ? undefined : args.optionalTensor(where.bias);
  const N = fixedDim(weight, 0);
  args.check(bias === undefined || fixedDim(bias, 0) >= N, () => `bias is shorter than N ${N}`);
  return [{ dtype: "f32", dims: [...x.dims.slice(0, -1), N] }];
}

/** A shard of a projection's weight: its shape and operands. */
export interface LinearShard {
  readonly shape: LinearShape;
  readonly operands: Readonly<Record<string, Operand>>;
}

/** The rows of x. */
export interface RowSizes {
  readonly M: IntLike;
  readonly K: number;
}

/** Sizes of x [..., K]. */
export function rowSizes(x: Tensor): RowSizes {
  const K = fixedDim(x, -1);
  return { M: symIntExpression("floordiv", elementCount(x.dims), K), K };
}

/** What a projection of rows of x becomes: a call a shard of its weight. */
export function linearShards(
  node: Node,
  { M, K }: RowSizes,
  where: LinearArguments,
  { shards }: Pick<LowerContext, "shards">,
): readonly LinearShard[] {
  const args = readArguments(node);
  const weight = args.tensor(where.weight);
  const scales = args.tensor(where.scales);
  const bias = where.bias === undefined ? undefined : args.optionalTensor(where.bias);
  const residual = where.residual === undefined ? undefined : args.optionalTensor(where.residual);
  return shards(weight).map(({ firstRow, rows }, shard) => ({
    shape: {
      N: rows,
      K,
      groupSize: groupSize(args, where),
      scaleType: scaleType(scales),
      hasBias: bias !== undefined,
      hasResidual: residual !== undefined,
      rows: M === 1 ? "one" : "many",
      maxM: maxOf(M),
      outStride: fixedDim(weight, 0),
      outOffset: firstRow,
    },
    operands: {
      x: args.tensor(0),
      weight: { tensor: weight, shard },
      scales: { tensor: scales, shard },
      ...(bias === undefined ? {} : { bias: { tensor: bias, byteOffset: 4 * firstRow } }),
      ...(residual === undefined ? {} : { residual }),
      out: onlyResult(node),
    },
  }));
}

function lowerLinear(
  node: Node,
  context: LowerContext,
  where: LinearArguments,
  routes: (shape: LinearShape) => Tunable<{ readonly M: number }>,
  further: Readonly<Record<string, Operand>> = {},
): Call[] {
  const sizes = rowSizes(readArguments(node).tensor(0));
  return linearShards(node, sizes, where, context).map(({ shape, operands }) =>
    tunedCall(
      routes(shape),
      { ...operands, ...further },
      (values) => ({ M: values.get(sizes.M) }),
      context,
    ),
  );
}

/** `et_vk.linear_q4gsw`'s. */
export const Q4GSW: LinearArguments = { weight: 1, scales: 2, group: 3, bias: 4 };

/**
 * [x [..., K] f32, weight u8 [N, pad8(K)/2], scales [N, K/group] (row-major here, whatever the file
 * says), group size, bias [N] | null] → [..., N].
 */
export const linearQ4gswOp: Op = {
  infer: (args) => inferLinear(args, Q4GSW),
  lower: (node, context) =>
    lowerLinear(node, context, Q4GSW, (shape) => linearQ4gswTunable(shape, context.capabilities)),
};

/** `tetrad.linear_q4gsw_add`'s. */
export const Q4GSW_ADD: LinearArguments = { ...Q4GSW, residual: 5 };

/** As `linear_q4gsw`, then [… residual, like the result]: what is added to it. */
export const linearQ4gswAddOp: Op = {
  infer(args) {
    const [result] = inferLinear(args, Q4GSW_ADD);
    const residual = args.typed(5, "f32");
    args.check(
      result !== undefined &&
        sameInt(elementCount(residual.dims), elementCount(result.dims)) &&
        sameInt(residual.dims.at(-1) ?? 1, result.dims.at(-1) ?? 1),
      () => `"${residual.name}" is not shaped like the projection`,
    );
    return [{ dtype: "f32", dims: residual.dims }];
  },
  lower: (node, context) =>
    lowerLinear(node, context, Q4GSW_ADD, (shape) =>
      linearQ4gswTunable(shape, context.capabilities),
    ),
};

const QCS4W: LinearArguments = { weight: 1, scales: 2, group: undefined, bias: undefined };

/** [x [..., K] f32, weight u8 [N, pad8(K)/2], scales [N, 1]] → [..., N]. */
export const linearQcs4wOp: Op = {
  infer: (args) => inferLinear(args, QCS4W),
  lower: (node, context) =>
    lowerLinear(node, context, QCS4W, (shape) => linearQcs4wTunable(shape, context.capabilities)),
};

const DQ8CA: LinearArguments = { weight: 3, scales: 5, group: 6, bias: 7 };

/**
 * [x [..., K] f32, scale f32 and zero point i8 of each row, weight, sums of the weight (ignored),
 * scales, group size, bias | null] → [..., N]: x is rounded to 8 bits, then as `linear_q4gsw`.
 */
export const linearDq8caQ4gswOp: Op = {
  infer(args) {
    const x = args.tensor(0);
    const rows = symIntExpression("floordiv", elementCount(x.dims), fixedDim(x, -1));
    for (const tensor of [args.typed(1, "f32"), args.typed(2, "i8")]) {
      args.check(
        maxOf(elementCount(tensor.dims)) >= maxOf(rows),
        () => `"${tensor.name}" is shorter than the rows of x`,
      );
    }
    return inferLinear(args, DQ8CA);
  },
  lower(node, context) {
    const args = readArguments(node);
    const further = { x_scale: args.tensor(1), x_zero_point: args.tensor(2) };
    return lowerLinear(
      node,
      context,
      DQ8CA,
      (shape) => linearDq8caQ4gswTunable(shape, context.capabilities),
      further,
    );
  },
};

/**
 * [x [..., K], "ASYMMETRIC", block [1, …, K], type, least, greatest, …] → [scale f32, zero point
 * i8], one of each a row.
 */
export const chooseQparamsOp: Op = {
  infer(args) {
    const x = args.typed(0, "f32");
    args.support(args.string(1) === "ASYMMETRIC", () => `mapping ${args.string(1)}`);
    const K = fixedDim(x, -1);
    const block = args.ints(2);
    args.support(
      block.length === x.dims.length &&
        block.every((size, axis) => size === (axis === block.length - 1 ? K : 1)),
      () => `blocks of [${block.map(maxOf).join(", ")}]; supported: a block a row`,
    );
    const [least, most] = [args.optionalNumber(4) ?? -128, args.optionalNumber(5) ?? 127];
    args.support(
      least >= -128 && most <= 127 && least < most,
      () => `values from ${least} to ${most}; supported: within −128 … 127`,
    );
    const dims = x.dims.slice(0, -1);
    return [
      { dtype: "f32", dims },
      { dtype: "i8", dims },
    ];
  },
  lower(node, { capabilities }) {
    const args = readArguments(node);
    const x = args.tensor(0);
    const width = fixedDim(x, -1);
    const [scale, zeroPoint] = node.results;
    if (scale === undefined || zeroPoint === undefined) {
      throw new Error(`graph: ${node.op} has two results`);
    }
    const rows = symIntExpression("floordiv", elementCount(x.dims), width);
    const route = chooseQparams(
      {
        width,
        quantMin: args.optionalNumber(4) ?? -128,
        quantMax: args.optionalNumber(5) ?? 127,
      },
      capabilities,
    );
    return [
      call(route, { x, scale, zero_point: zeroPoint }, (values) => ({ rows: values.get(rows) })),
    ];
  },
};
