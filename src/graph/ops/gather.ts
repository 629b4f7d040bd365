/** Operators that read a tensor through indices. */
import { gather } from "../../kernels/gather/gather.ts";
import { DTYPE_BYTES } from "../ir.ts";
import type { Node, Tensor } from "../ir.ts";
import { maxOf } from "../symint.ts";
import type { IntLike } from "../symint.ts";
import { call, fixedDim, onlyResult, readArguments } from "./op.ts";
import type { ArgumentReader, Call, Condition, LowerContext, Op } from "./op.ts";
import { contiguousStrides, normalizeAxis } from "./shape.ts";

/** x with the axis replaced by the indices' dimensions, or paired with them element by element. */
interface Indexing {
  readonly x: Tensor;
  readonly indices: Tensor;
  readonly axis: number;
}

function replacedDims({ x, indices, axis }: Indexing): IntLike[] {
  return [...x.dims.slice(0, axis), ...indices.dims, ...x.dims.slice(axis + 1)];
}

function lowerIndexing(
  node: Node,
  { capabilities }: LowerContext,
  { x, indices, axis }: Indexing,
  strides: { readonly index: readonly IntLike[]; readonly x: readonly IntLike[] },
): Call[] {
  const out = onlyResult(node);
  const own = contiguousStrides(x.dims);
  const route = gather({ elementBytes: DTYPE_BYTES[x.dtype] as 1 | 2 | 4 }, capabilities);
  return [
    call(route, { x, indices, out }, (values) => ({
      dims: out.dims.map((dim) => values.get(dim)),
      indexStrides: strides.index.map((stride) => values.get(stride)),
      xStrides: strides.x.map((stride) => values.get(stride)),
      axisSize: values.get(x.dims[axis] ?? 1),
      axisStride: values.get(own[axis] ?? 1),
    })),
  ];
}

/** An operator that puts the indices' dimensions in the place of an axis. */
function indexingOp(read: (args: ArgumentReader) => Indexing): Op {
  return {
    infer(args) {
      const indexing = read(args);
      return [{ dtype: indexing.x.dtype, dims: replacedDims(indexing) }];
    },
    lower(node, context) {
      const indexing = read(readArguments(node));
      const { x, indices, axis } = indexing;
      const own = contiguousStrides(x.dims);
      const before = x.dims.slice(0, axis).map(() => 0);
      const after = x.dims.slice(axis + 1).map(() => 0);
      return lowerIndexing(node, context, indexing, {
        index: [...before, ...contiguousStrides(indices.dims), ...after],
        x: [...own.slice(0, axis), ...indices.dims.map(() => 0), ...own.slice(axis + 1)],
      });
    },
    conditions: (args) => indexCondition(read(args)),
  };
}

/** Indices may count from the end. */
function indexCondition({ x, indices, axis }: Indexing): readonly Condition[] {
  const size = maxOf(x.dims[axis] ?? 1);
  return [{ kind: "indices", what: "index", tensor: indices, least: -size, most: size - 1 }];
}

/** [x, [null, …, indices, …]]: one index tensor, at any axis. */
export const indexTensorOp = indexingOp((args) => {
  const x = args.tensor(0);
  const list = args.optionalTensors(1);
  const found = list.flatMap((tensor, axis) => (tensor === undefined ? [] : [{ tensor, axis }]));
  const [only] = found;
  args.support(found.length === 1, () => `${found.length} index tensors; supported: one`);
  if (only === undefined) throw new Error(`graph: ${args.op} has an index`);
  args.support(
    only.tensor.dtype === "i32",
    () => `an index of ${only.tensor.dtype}; supported: i32`,
  );
  return { x, indices: only.tensor, axis: normalizeAxis(args.op, only.axis, x.dims.length) };
});

/** [x, axis, indices [n]] */
export const indexSelectOp = indexingOp((args) => {
  const x = args.tensor(0);
  return {
    x,
    indices: args.typed(2, "i32"),
    axis: normalizeAxis(args.op, args.constantInt(1), x.dims.length),
  };
});

/** [table [V, E], indices, …] → [...indices, E]. */
export const embeddingOp = indexingOp((args) => {
  const x = args.tensor(0);
  args.check(x.dims.length === 2 && fixedDim(x, 0) > 0, () => "the table must be a matrix");
  return { x, indices: args.typed(1, "i32"), axis: 0 };
});

/** [x, axis, indices of x's rank, …] → like the indices. */
export const gatherOp: Op = {
  infer(args) {
    const x = args.tensor(0);
    const indices = args.typed(2, "i32");
    normalizeAxis(args.op, args.constantInt(1), x.dims.length);
    args.check(x.dims.length === indices.dims.length, () => "x and indices differ in rank");
    return [{ dtype: x.dtype, dims: indices.dims }];
  },
  lower(node, context) {
    const args = readArguments(node);
    const [x, indices] = [args.tensor(0), args.tensor(2)];
    const axis = normalizeAxis(args.op, args.constantInt(1), x.dims.length);
    return lowerIndexing(
      node,
      context,
      { x, indices, axis },
      {
        index: contiguousStrides(indices.dims),
        x: contiguousStrides(x.dims).map((stride, i) => (i === axis ? 0 : stride)),
      },
    );
  },
  conditions(args) {
    const x = args.tensor(0);
    const axis = normalizeAxis(args.op, args.constantInt(1), x.dims.length);
    return indexCondition({ x, indices: args.tensor(2), axis });
  },
};
