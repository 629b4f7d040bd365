/** Operators that only rename bytes, and the ones that gather them. */
import type { Tensor } from "../ir.ts";
import { maxOf, symIntExpression } from "../symint.ts";
import type { IntLike } from "../symint.ts";
import { readArguments } from "./op.ts";
import type { ArgumentReader, Op, ResultType } from "./op.ts";
import { contiguousStrides, normalizeAxis, viewDims } from "./shape.ts";
import { lowerStridedRead } from "./strided-read.ts";

/** "To the end" in a slice, as exporters write it: INT64_MAX, or anything past the dimension. */
const OPEN_END = 2 ** 31 - 1;

/** An operator whose result is its first argument under other dims. */
function aliasOp(dims: (args: ArgumentReader, x: Tensor) => readonly IntLike[]): Op {
  return {
    infer(args) {
      const x = args.tensor(0);
      return [{ dtype: x.dtype, dims: dims(args, x) }];
    },
    alias: (node) => readArguments(node).tensor(0),
    lower: () => [],
  };
}

/** [x, sizes] */
export const viewCopyOp = aliasOp((args, x) => viewDims(args.op, x, args.ints(1)));

/** [x, …]: clone, alias, contiguous. */
export const cloneOp = aliasOp((_, x) => x.dims);

/** [x, axis] */
export const unsqueezeOp = aliasOp((args, x) => {
  const axis = normalizeAxis(args.op, args.constantInt(1), x.dims.length + 1);
  return [...x.dims.slice(0, axis), 1, ...x.dims.slice(axis)];
});

/** [x, axes] */
export const squeezeOp = aliasOp((args, x) => {
  const axes = new Set(
    args.ints(1).map((axis) => normalizeAxis(args.op, maxOf(axis), x.dims.length)),
  );
  return x.dims.filter((dim, axis) => !(axes.has(axis) && dim === 1));
});

interface Slice {
  readonly axis: number;
  readonly start: IntLike;
  readonly step: number;
  readonly length: IntLike;
}

function wrap(value: IntLike, size: IntLike): IntLike {
  return typeof value === "number" && value < 0 ? symIntExpression("add", size, value) : value;
}

function readSlice(args: ArgumentReader): Slice {
  const x = args.tensor(0);
  const axis = normalizeAxis(args.op, args.constantInt(1), x.dims.length);
  const size = x.dims[axis] ?? 1;
  const optionalInt = (index: number, fallback: IntLike) =>
    args.isAbsent(index) ? fallback : args.int(index);
  const start = wrap(optionalInt(2, 0), size);
  const end = wrap(optionalInt(3, OPEN_END), size);
  const step = args.isAbsent(4) ? 1 : args.constantInt(4);
  args.check(step >= 1, () => `step ${step}`);
  const stop =
    typeof end === "number" && (end >= OPEN_END || (typeof size === "number" && end > size))
      ? size
      : end;
  const span = symIntExpression("sub", stop, start);
  args.check(
    typeof span !== "number" || span >= 0,
    () => `[${maxOf(start)}, ${maxOf(stop)}) of ${maxOf(size)} is empty`,
  );
  // ⌈span / step⌉
  const length = symIntExpression("floordiv", symIntExpression("add", span, step - 1), step);
  return { axis, start, step, length };
}

/** [x, axis, start | null, end | null, step] */
export const sliceCopyOp: Op = {
  infer(args): ResultType[] {
    const x = args.tensor(0);
    const { axis, length } = readSlice(args);
    return [{ dtype: x.dtype, dims: x.dims.map((dim, i) => (i === axis ? length : dim)) }];
  },
  alias(node) {
    const args = readArguments(node);
    const x = args.tensor(0);
    const { axis, start, step, length } = readSlice(args);
    return start === 0 && step === 1 && length === x.dims[axis] ? x : undefined;
  },
  lower(node, context) {
    const args = readArguments(node);
    const x = args.tensor(0);
    const { axis, start, step } = readSlice(args);
    const strides = contiguousStrides(x.dims);
    return lowerStridedRead(node, context, {
      strides: strides.map((stride, i) =>
        i === axis ? symIntExpression("mul", stride, step) : stride,
      ),
      offset: symIntExpression("mul", strides[axis] ?? 1, start),
    });
  },
  conditions(args) {
    const { dims } = args.tensor(0);
    const { axis, start, step, length } = readSlice(args);
    if (typeof start === "number" && typeof length === "number") return [];
    const size = dims[axis] ?? 1;
    const reach = symIntExpression("mul", symIntExpression("sub", length, 1), step);
    const most = symIntExpression("sub", symIntExpression("sub", size, 1), reach);
    return [
      { kind: "range", what: "the length of a slice", value: length, most: size },
      { kind: "range", what: "the start of a slice", value: start, most },
    ];
  },
};

/** [x, axis, index] */
export const selectCopyOp: Op = {
  infer(args) {
    const x = args.tensor(0);
    const axis = normalizeAxis(args.op, args.constantInt(1), x.dims.length);
    return [{ dtype: x.dtype, dims: x.dims.filter((_, i) => i !== axis) }];
  },
  alias(node) {
    const args = readArguments(node);
    const x = args.tensor(0);
    const axis = normalizeAxis(args.op, args.constantInt(1), x.dims.length);
    // The only row of a dimension of one is the whole.
    return x.dims[axis] === 1 ? x : undefined;
  },
  lower(node, context) {
    const args = readArguments(node);
    const x = args.tensor(0);
    const axis = normalizeAxis(args.op, args.constantInt(1), x.dims.length);
    const index = wrap(args.int(2), x.dims[axis] ?? 1);
    const strides = contiguousStrides(x.dims);
    return lowerStridedRead(node, context, {
      strides: strides.filter((_, i) => i !== axis),
      offset: symIntExpression("mul", strides[axis] ?? 1, index),
    });
  },
  conditions(args) {
    const { dims } = args.tensor(0);
    const size = dims[normalizeAxis(args.op, args.constantInt(1), dims.length)] ?? 1;
    const value = wrap(args.int(2), size);
    return [{ kind: "range", what: "an index", value, most: symIntExpression("sub", size, 1) }];
  },
};
