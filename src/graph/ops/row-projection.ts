/** Projections of one row: what passes make of a decoder's norm, linear layers and SwiGLU. */
import {
  normLinearTunable,
  qkvTunable,
  swigluTunable,
} from "../../kernels/row_projection_q4gsw/row-projection-q4gsw.ts";
import type { RowProjectionShape } from "../../kernels/row_projection_q4gsw/row-projection-q4gsw.ts";
import { elementCount } from "../ir.ts";
import type { Node, Tensor } from "../ir.ts";
import { tunedCall, fixedDim, onlyResult, readArguments } from "./op.ts";
import type { ArgumentReader, Op, Operand } from "./op.ts";
import { checkPlanes, scaleType } from "./quantized.ts";

/** Where the matrices begin among the arguments: weight, scales, weight, … */
const FIRST_MATRIX = 4;

/** Matrices are [N, K / 2] bytes with scales [N, K / group], all of one K, group and scale type. */
function inferRow(args: ArgumentReader, matrices: number): readonly { readonly N: number }[] {
  const x = args.typed(0, "f32");
  const K = fixedDim(x, -1);
  args.check(elementCount(x.dims) === K, () => `"${x.name}" is more than one row`);
  if (!args.isAbsent(1)) {
    const norm = args.typed(1, "f32");
    args.check(fixedDim(norm, 0) === K, () => `norm has ${fixedDim(norm, 0)} elements, x ${K}`);
    args.number(2);
  }
  const group = args.constantInt(3);
  const type = args.tensor(FIRST_MATRIX + 1).dtype;
  return Array.from({ length: matrices }, (_, index) => {
    const weight = args.typed(FIRST_MATRIX + 2 * index, "u8");
    const scales = args.typed(FIRST_MATRIX + 2 * index + 1, "f16", "f32");
    args.check(scales.dtype === type, () => `scales of "${scales.name}" differ in type`);
    checkPlanes(args, weight, scales, K, group);
    return { N: fixedDim(weight, 0) };
  });
}

const rowOf = (x: Tensor, N: number) => ({
  dtype: "f32" as const,
  dims: [...x.dims.slice(0, -1), N],
});

/** What a row projection's node says about its shape and its input. */
function readRow(node: Node): {
  readonly shape: RowProjectionShape;
  readonly input: Readonly<Record<string, Operand>>;
  readonly matrix: (index: number) => readonly [weight: Tensor, scales: Tensor];
} {
  const args = readArguments(node);
  const x = args.tensor(0);
  const norm = args.optionalTensor(1);
  const matrix = (index: number) =>
    [args.tensor(FIRST_MATRIX + 2 * index), args.tensor(FIRST_MATRIX + 2 * index + 1)] as const;
  return {
    shape: {
      K: fixedDim(x, -1),
      groupSize: args.constantInt(3),
      scaleType: scaleType(matrix(0)[1]),
      ...(norm === undefined ? {} : { norm: { epsilon: args.number(2) } }),
    },
    input: { x, ...(norm === undefined ? {} : { norm }) },
    matrix,
  };
}

const nothingLive = () => ({});

/** [x [1, …, K], norm weight [K] | null, epsilon | null, group size, weight, scales] → [1, …, N]. */
export const normLinearQ4gswOp: Op = {
  infer(args) {
    const [{ N }] = inferRow(args, 1) as [{ readonly N: number }];
    return [rowOf(args.tensor(0), N)];
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

/**
 * [x, norm weight | null, epsilon | null, group size, gate weight, its scales, up weight, its scales]
 * → [1, …, N]: silu(gate · x) · (up · x).
 */
export const swigluQ4gswOp: Op = {
  infer(args) {
    const [gate, up] = inferRow(args, 2) as [{ readonly N: number }, { readonly N: number }];
    args.check(gate.N === up.N, () => `gate has ${gate.N} rows, up ${up.N}`);
    return [rowOf(args.tensor(0), gate.N)];
  },
  lower(node, context) {
    const { capabilities } = context;
    const { shape, input, matrix } = readRow(node);
    const [[gate, gateScales], [up, upScales]] = [matrix(0), matrix(1)];
    return [
      tunedCall(
        swigluTunable({ ...shape, N: fixedDim(gate, 0) }, capabilities),
        {
          ...input,
          gate,
          gate_scales: gateScales,
          up,
          up_scales: upScales,
          out: onlyResult(node),
        },
        nothingLive,
        context,
      ),
    ];
  },
};

/** [x, norm weight | null, epsilon | null, group size, q, its scales, k, …, v, …] → q, k, v of x. */
export const qkvQ4gswOp: Op = {
  infer: (args) => inferRow(args, 3).map(({ N }) => rowOf(args.tensor(0), N)),
  lower(node, context) {
    const { capabilities } = context;
    const { shape, input, matrix } = readRow(node);
    const operands: Record<string, Operand> = { ...input };
    const rows = (["q", "k", "v"] as const).map((name, index) => {
      const [weight, scales] = matrix(index);
      const out = node.results[index];
      if (out === undefined) throw new Error(`graph: ${node.op} has three results`);
      operands[name] = weight;
      operands[`${name}_scales`] = scales;
      operands[`${name}_out`] = out;
      return fixedDim(weight, 0);
    }) as [number, number, number];
    return [
      tunedCall(qkvTunable({ ...shape, rows }, capabilities), operands, nothingLive, context),
    ];
  },
};
