/** Projections of one row: what passes make of a decoder's norm, linear layers and SwiGLU. */
import {
  linearAddLimbsTunable,
  swigluLimbsTunable,
} from "../../kernels/row_projection_q4gsw/row-groups.ts";
import {
  normLinearTunable,
  qkvTunable,
  swigluTunable,
} from "../../kernels/row_projection_q4gsw/row-projection-q4gsw.ts";
import type { Tensor } from "../ir.ts";
import { fixedDim, onlyResult, readArguments, tunedCall } from "./op.ts";
import type { ArgumentReader, Op, Operand } from "./op.ts";
import { inferRow, joinedMatrices, limbsType, readRow, ROW, rowOf } from "./row-arguments.ts";

const nothingLive = () => ({});

/** [row (see `ROW`), weight, scales] → [1, …, N]. */
export const normLinearQ4gswOp: Op = {
  infer(args) {
    const [N = 0] = inferRow(args, 1);
    return [rowOf(args, N)];
  },
  lower(node, context) {
    const { capabilities, shards } = context;
    const { shape, input, matrix } = readRow(node);
    const [weight, scales] = matrix(0);
    // The norm is repeated for each shard, which only vocabularies of small devices have.
    return shards(weight).map(({ firstRow, rows }, shard) =>
      tunedCall(
        normLinearTunable({ ...shape, N: rows, outOffset: firstRow }, capabilities),
        {
          ...input,
          weight: { tensor: weight, shard },
          scales: { tensor: scales, shard },
          out: onlyResult(node),
        },
        nothingLive,
        context,
      ),
    );
  },
};

function inferGateAndUp(args: ArgumentReader): number {
  const [gate = 0, up = 0] = inferRow(args, 2);
  args.check(gate === up, () => `gate has ${gate} rows, up ${up}`);
  return gate;
}

const gateAndUp = (
  matrix: (index: number) => readonly [weight: Tensor, scales: Tensor],
): Readonly<Record<"gate" | "gate_scales" | "up" | "up_scales", Tensor>> => {
  const [[gate, gate_scales], [up, up_scales]] = [matrix(0), matrix(1)];
  return { gate, gate_scales, up, up_scales };
};

/** [row, gate weight, its scales, up weight, its scales] → [1, …, N]: silu(gate · x) · (up · x). */
export const swigluQ4gswOp: Op = {
  infer: (args) => [rowOf(args, inferGateAndUp(args))],
  lower(node, context) {
    const { shape, input, matrix } = readRow(node);
    const matrices = gateAndUp(matrix);
    const N = fixedDim(matrices.gate, 0);
    return [
      tunedCall(
        swigluTunable({ ...shape, N }, context.capabilities),
        { ...input, ...matrices, out: onlyResult(node) },
        nothingLive,
        context,
      ),
    ];
  },
};

/** As `tetrad.swiglu_q4gsw`, but the result is limbs. */
export const swigluLimbsQ4gswOp: Op = {
  infer: (args) => [limbsType(inferGateAndUp(args))],
  lower(node, context) {
    const { shape, input, matrix } = readRow(node);
    const matrices = gateAndUp(matrix);
    const N = fixedDim(matrices.gate, 0);
    return [
      tunedCall(
        swigluLimbsTunable({ ...shape, N }, context.capabilities),
        { ...input, ...matrices, out_limbs: onlyResult(node) },
        nothingLive,
        context,
      ),
    ];
  },
};

/** Where the operators that add have what comes after the matrix. */
export const ADDED = { residual: ROW.matrices + 2, nextNorm: ROW.matrices + 3 } as const;

/** Checks a residual and the next norm's weight, for N outputs. */
export function inferAdded(
  args: ArgumentReader,
  N: number,
  { residual, nextNorm }: { readonly residual: number; readonly nextNorm: number },
) {
  const added = args.typed(residual, "f32");
  args.check(fixedDim(added, -1) === N, () => `"${added.name}" has no rows of ${N}`);
  const norm = args.optionalTensor(nextNorm);
  args.check(norm === undefined || fixedDim(norm, 0) === N, () => `the next norm is not of ${N}`);
  return [{ dtype: "f32" as const, dims: added.dims }, limbsType(N)];
}

/**
 * [row, weight, scales, residual [1, …, N], weight [N] of the norm that comes next | null] → the sum
 * weight · x + residual like residual, and its limbs, through the next norm's weight.
 */
export const linearAddLimbsQ4gswOp: Op = {
  infer(args) {
    const [N = 0] = inferRow(args, 1);
    return inferAdded(args, N, ADDED);
  },
  lower(node, context) {
    const args = readArguments(node);
    const { shape, input, matrix } = readRow(node);
    const [weight, scales] = matrix(0);
    const nextNorm = args.optionalTensor(ADDED.nextNorm);
    const [out, limbs] = node.results as [Tensor, Tensor];
    return [
      tunedCall(
        linearAddLimbsTunable(
          { ...shape, N: fixedDim(weight, 0), nextNorm: nextNorm !== undefined },
          context.capabilities,
        ),
        {
          ...input,
          weight,
          scales,
          residual: args.tensor(ADDED.residual),
          ...(nextNorm === undefined ? {} : { next_norm: nextNorm }),
          out,
          out_limbs: limbs,
        },
        nothingLive,
        context,
      ),
    ];
  },
};

/** [row, q weight, its scales, k, …, v, …] → q, k, v of x. */
export const qkvQ4gswOp: Op = {
  infer: (args) => inferRow(args, 3).map((N) => rowOf(args, N)),
  lower(node, context) {
    const { shape, input, matrix } = readRow(node);
    const matrices = [matrix(0), matrix(1), matrix(2)] as const;
    const joined = joinedMatrices(matrices);
    const operands: Record<string, Operand> = { ...input, ...joined };
    const rows = (["q", "k", "v"] as const).map((name, index) => {
      const [weight, scales] = matrix(index);
      const out = node.results[index];
      if (out === undefined) throw new Error(`graph: ${node.op} has three results`);
      operands[name] = weight;
      operands[`${name}_scales`] = scales;
      operands[`${name}_out`] = out;
      return fixedDim(weight, 0);
    }) as [number, number, number];
    const qkv = { ...shape, rows, joined: joined !== undefined };
    return [tunedCall(qkvTunable(qkv, context.capabilities), operands, nothingLive, context)];
  },
};
