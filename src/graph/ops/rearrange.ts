/** Operators that move elements without computing: permute, expand, repeat, flip, split, cat. */
import { FormatError } from "../../errors.ts";
import { cat } from "../../kernels/cat/cat.ts";
import { DTYPE_BYTES } from "../ir.ts";
import { maxOf, sameInt, symIntExpression } from "../symint.ts";
import type { IntLike } from "../symint.ts";
import { call, onlyResult, readArguments } from "./op.ts";
import type { ArgumentReader, Op } from "./op.ts";
import { broadcastStrides, contiguousStrides, normalizeAxis, sameDims } from "./shape.ts";
import { lowerStridedRead, stridedReadCall } from "./strided-read.ts";

/** The order of x's axes in the result. */
function readOrder(args: ArgumentReader): number[] {
  const rank = args.tensor(0).dims.length;
  const order = args.ints(1).map((axis) => normalizeAxis(args.op, maxOf(axis), rank));
  args.check(
    order.length === rank && new Set(order).size === rank,
    () => `[${order.join(", ")}] is no order of ${rank} axes`,
  );
  return order;
}

/** [x, order of the axes] */
export const permuteOp: Op = {
  infer(args) {
    const x = args.tensor(0);
    return [{ dtype: x.dtype, dims: readOrder(args).map((axis) => x.dims[axis] ?? 1) }];
  },
  alias(node) {
    const args = readArguments(node);
    const x = args.tensor(0);
    // Where only dimensions of one change places, no element does.
    const wide = readOrder(args).filter((axis) => x.dims[axis] !== 1);
    return wide.every((axis, i) => i === 0 || axis > (wide[i - 1] ?? 0)) ? x : undefined;
  },
  lower(node, context) {
    const args = readArguments(node);
    const strides = contiguousStrides(args.tensor(0).dims);
    return lowerStridedRead(node, context, {
      strides: readOrder(args).map((axis) => strides[axis] ?? 1),
      offset: 0,
    });
  },
};

/** [x, sizes (−1 keeps), …]: dimensions of one are repeated. */
export const expandOp: Op = {
  infer(args) {
    const x = args.tensor(0);
    const sizes = args.ints(1);
    const lead = sizes.length - x.dims.length;
    args.check(lead >= 0, () => `${sizes.length} sizes for a tensor of rank ${x.dims.length}`);
    const dims = sizes.map((size, axis) => {
      const own = axis < lead ? 1 : (x.dims[axis - lead] ?? 1);
      if (size === -1) return own;
      args.check(
        own === 1 || typeof own !== "number" || own === size,
        () => `${maxOf(own)} to ${maxOf(size)}`,
      );
      return own === 1 ? size : own;
    });
    return [{ dtype: x.dtype, dims }];
  },
  alias(node) {
    const x = readArguments(node).tensor(0);
    const { dims } = onlyResult(node);
    return sameDims(dims.slice(dims.length - x.dims.length), x.dims) &&
      dims.slice(0, dims.length - x.dims.length).every((dim) => dim === 1)
      ? x
      : undefined;
  },
  lower(node, context) {
    const x = readArguments(node).tensor(0);
    const strides = broadcastStrides(x, onlyResult(node).dims);
    return lowerStridedRead(node, context, { strides, offset: 0 });
  },
};

/** [x, times along each axis], axes added in front. */
export const repeatOp: Op = {
  infer(args) {
    const x = args.tensor(0);
    const times = args.ints(1);
    const lead = times.length - x.dims.length;
    args.check(lead >= 0, () => `${times.length} repeats for a tensor of rank ${x.dims.length}`);
    const dims = times.map((n, axis) =>
      symIntExpression("mul", n, axis < lead ? 1 : (x.dims[axis - lead] ?? 1)),
    );
    return [{ dtype: x.dtype, dims }];
  },
  lower(node, context) {
    const args = readArguments(node);
    const x = args.tensor(0);
    const times = args.ints(1);
    const lead = times.length - x.dims.length;
    const own = contiguousStrides(x.dims);
    // Each axis is walked as [times, size].
    const dims = times.flatMap((n, axis) => [n, axis < lead ? 1 : (x.dims[axis - lead] ?? 1)]);
    const strides = times.flatMap((_, axis) => [0, axis < lead ? 0 : (own[axis - lead] ?? 0)]);
    return lowerStridedRead(node, context, { strides, offset: 0 }, dims);
  },
};

/** [x, axes] */
export const flipOp: Op = {
  infer(args) {
    const x = args.tensor(0);
    for (const axis of args.ints(1)) normalizeAxis(args.op, maxOf(axis), x.dims.length);
    return [{ dtype: x.dtype, dims: x.dims }];
  },
  lower(node, context) {
    const args = readArguments(node);
    const x = args.tensor(0);
    const axes = new Set(
      args.ints(1).map((axis) => normalizeAxis(args.op, maxOf(axis), x.dims.length)),
    );
    const own = contiguousStrides(x.dims);
    const offset = own.reduce<IntLike>((sum, stride, axis) => {
      if (!axes.has(axis)) return sum;
      const last = symIntExpression("sub", x.dims[axis] ?? 1, 1);
      return symIntExpression("add", sum, symIntExpression("mul", last, stride));
    }, 0);
    const strides = own.map((stride, axis) =>
      axes.has(axis) ? symIntExpression("mul", stride, -1) : stride,
    );
    return lowerStridedRead(node, context, { strides, offset });
  },
};

/** [x, sizes, axis] → one tensor a size. */
export const splitOp: Op = {
  infer(args) {
    const x = args.tensor(0);
    const axis = normalizeAxis(args.op, args.isAbsent(2) ? 0 : args.constantInt(2), x.dims.length);
    const sizes = args.ints(1);
    const total = sizes.reduce<IntLike>((sum, size) => symIntExpression("add", sum, size), 0);
    args.check(
      typeof total !== "number" || typeof x.dims[axis] !== "number" || total === x.dims[axis],
      () => `sizes [${sizes.map(maxOf).join(", ")}] of ${maxOf(x.dims[axis] ?? 1)}`,
    );
    return sizes.map((size) => ({
      dtype: x.dtype,
      dims: x.dims.map((dim, i) => (i === axis ? size : dim)),
    }));
  },
  lower(node, context) {
    const args = readArguments(node);
    const x = args.tensor(0);
    const axis = normalizeAxis(args.op, args.isAbsent(2) ? 0 : args.constantInt(2), x.dims.length);
    const strides = contiguousStrides(x.dims);
    let start: IntLike = 0;
    return node.results.map((out) => {
      const offset = symIntExpression("mul", strides[axis] ?? 1, start);
      start = symIntExpression("add", start, out.dims[axis] ?? 1);
      return stridedReadCall(x, out, context, { strides, offset });
    });
  },
};

/** [tensors, axis] */
export const catOp: Op = {
  infer(args) {
    const parts = args.tensors(0);
    const [first] = parts;
    if (first === undefined) throw new FormatError(`graph: ${args.op}: of nothing`);
    const axis = normalizeAxis(
      args.op,
      args.isAbsent(1) ? 0 : args.constantInt(1),
      first.dims.length,
    );
    for (const part of parts) {
      args.check(
        part.dtype === first.dtype &&
          part.dims.length === first.dims.length &&
          part.dims.every((dim, i) => i === axis || sameInt(dim, first.dims[i] ?? 1)),
        () => `"${part.name}" does not fit "${first.name}"`,
      );
    }
    const length = parts.reduce<IntLike>(
      (sum, part) => symIntExpression("add", sum, part.dims[axis] ?? 1),
      0,
    );
    return [{ dtype: first.dtype, dims: first.dims.map((dim, i) => (i === axis ? length : dim)) }];
  },
  lower(node, { capabilities }) {
    const args = readArguments(node);
    const parts = args.tensors(0);
    const out = onlyResult(node);
    const axis = normalizeAxis(
      args.op,
      args.isAbsent(1) ? 0 : args.constantInt(1),
      out.dims.length,
    );
    const elementBytes = DTYPE_BYTES[out.dtype] as 1 | 2 | 4;
    const route = cat({ elementBytes, axis, inputs: parts.length }, capabilities);
    const inputs = Object.fromEntries(parts.map((part, i) => [`input${i}`, part]));
    return [
      call(route, { ...inputs, out }, (values) => ({
        dims: out.dims.map((dim) => values.get(dim)),
        lengths: parts.map((part) => values.get(part.dims[axis] ?? 1)),
      })),
    ];
  },
};
