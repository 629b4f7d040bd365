/** Embeddings with 4-bit tables. */
import { embeddingLimbsQ4gsw } from "../../kernels/embedding_q4gsw/embedding-limbs.ts";
import { embeddingQ4gsw } from "../../kernels/embedding_q4gsw/embedding-q4gsw.ts";
import type { EmbeddingQ4gswShape } from "../../kernels/embedding_q4gsw/embedding-q4gsw.ts";
import { elementCount } from "../ir.ts";
import type { Tensor } from "../ir.ts";
import { call, fixedDim, onlyResult, readArguments } from "./op.ts";
import type { ArgumentReader, Condition, LowerContext, Op, Operand, ResultType } from "./op.ts";
import { checkPlanes, scaleType } from "./quantized.ts";
import { limbsType } from "./row-arguments.ts";

/** Where the operators have their arguments; only the one that writes limbs has the last. */
export const EMBEDDING = {
  weight: 0,
  scales: 1,
  group: 2,
  indices: 3,
  evenInLowNibble: 4,
  nextNorm: 5,
} as const;

const embeddingSizeOf = (args: ArgumentReader): number =>
  2 * fixedDim(args.tensor(EMBEDDING.weight), 1);

/** Checks the table and returns the rows' type. */
function inferRows(args: ArgumentReader): ResultType {
  const weight = args.typed(EMBEDDING.weight, "u8");
  const scales = args.typed(EMBEDDING.scales, "f16", "f32");
  const indices = args.typed(EMBEDDING.indices, "i32");
  const E = embeddingSizeOf(args);
  checkPlanes(args, weight, scales, E, args.constantInt(EMBEDDING.group));
  return { dtype: "f32", dims: [...indices.dims, E] };
}

/** Shapes of the table's shards, each with the operands that are the same for both operators. */
function shardsOf(
  args: ArgumentReader,
  { shards }: LowerContext,
): readonly (readonly [EmbeddingQ4gswShape, Readonly<Record<string, Operand>>])[] {
  const weight = args.tensor(EMBEDDING.weight);
  const scales = args.tensor(EMBEDDING.scales);
  return shards(weight).map(({ firstRow, rows }, shard) => [
    {
      vocabularySize: rows,
      embeddingSize: embeddingSizeOf(args),
      groupSize: args.constantInt(EMBEDDING.group),
      scaleType: scaleType(scales),
      evenInLowNibble: args.boolean(EMBEDDING.evenInLowNibble, true),
      firstRow,
    },
    {
      indices: args.tensor(EMBEDDING.indices),
      weight: { tensor: weight, shard },
      scales: { tensor: scales, shard },
    },
  ]);
}

const tokensInTable = (args: ArgumentReader): readonly Condition[] => [
  {
    kind: "indices",
    what: "token",
    tensor: args.tensor(EMBEDDING.indices),
    least: 0,
    most: fixedDim(args.tensor(EMBEDDING.weight), 0) - 1,
  },
];

/**
 * [weight u8 [V, E/2], scales [V, E/group], group size, indices i32, even-in-low-nibble] →
 * [...indices, E].
 */
export const embeddingQ4gswOp: Op = {
  infer: (args) => [inferRows(args)],
  lower(node, context) {
    const args = readArguments(node);
    const count = elementCount(args.tensor(EMBEDDING.indices).dims);
    return shardsOf(args, context).map(([shape, operands]) =>
      call(
        embeddingQ4gsw(shape, context.capabilities),
        { ...operands, out: onlyResult(node) },
        (values) => ({ count: values.get(count) }),
      ),
    );
  },
  conditions: tokensInTable,
};

/**
 * As `embedding_q4gsw` of one token, then [… weight [E] of the norm that comes next | null] → the row,
 * and its limbs, through the next norm's weight.
 */
export const embeddingLimbsQ4gswOp: Op = {
  infer(args) {
    const row = inferRows(args);
    const E = embeddingSizeOf(args);
    args.check(elementCount(row.dims) === E, () => "limbs are of one token");
    const norm = args.optionalTensor(EMBEDDING.nextNorm);
    args.check(norm === undefined || fixedDim(norm, 0) === E, () => `the next norm is not of ${E}`);
    return [row, limbsType(E)];
  },
  lower(node, context) {
    const args = readArguments(node);
    const next_norm = args.optionalTensor(EMBEDDING.nextNorm);
    const [out, out_limbs] = node.results as [Tensor, Tensor];
    return shardsOf(args, context).map(([shape, operands]) =>
      call(
        embeddingLimbsQ4gsw({ ...shape, nextNorm: next_norm !== undefined }, context.capabilities),
        { ...operands, ...(next_norm === undefined ? {} : { next_norm }), out, out_limbs },
        () => ({}),
      ),
    );
  },
  conditions: tokensInTable,
};
