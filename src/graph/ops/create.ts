/** Operators that make tensors of one value, or of another type. */
import { convert } from "../../kernels/convert/convert.ts";
import { fill } from "../../kernels/fill/fill.ts";
import {
  dequantizePerTensor,
  quantizePerTensor,
} from "../../kernels/quantize_per_tensor/quantize-per-tensor.ts";
import { DTYPE_BYTES, elementCount } from "../ir.ts";
import type { Dtype } from "../ir.ts";
import type { IntLike } from "../symint.ts";
import { call, onlyResult, readArguments } from "./op.ts";
import type { ArgumentReader, Op } from "./op.ts";

/** A type as a string argument; files leave it out, and the reader puts in what the result is. */
function readDtype(args: ArgumentReader, index: number, fallback: Dtype): Dtype {
  if (args.isAbsent(index)) return fallback;
  const name = args.string(index);
  args.check(Object.hasOwn(DTYPE_BYTES, name), () => `type "${name}"`);
  return name as Dtype;
}

interface FillArguments {
  readonly dims: readonly IntLike[];
  readonly value: number;
  readonly dtype: Dtype;
}

function fillOp(read: (args: ArgumentReader) => FillArguments): Op {
  return {
    infer(args) {
      const { dims, dtype } = read(args);
      return [{ dtype, dims }];
    },
    lower(node, { capabilities }) {
      const { dims, value, dtype } = read(readArguments(node));
      const count = elementCount(dims);
      return [
        call(fill({ type: dtype, value }, capabilities), { out: onlyResult(node) }, (values) => ({
          count: values.get(count),
        })),
      ];
    },
  };
}

function scalar(args: ArgumentReader, index: number): number {
  return args.isBoolean(index) ? Number(args.boolean(index, false)) : args.number(index);
}

/** [sizes, value, type, …] */
export const fullOp = fillOp((args) => ({
  dims: args.ints(0),
  value: scalar(args, 1),
  dtype: readDtype(args, 2, "f32"),
}));

/** [x, value, type, …] */
export const fullLikeOp = fillOp((args) => ({
  dims: args.tensor(0).dims,
  value: scalar(args, 1),
  dtype: readDtype(args, 2, args.tensor(0).dtype),
}));

/** [sizes, type, …] */
export const zerosOrOnesOp = (value: 0 | 1) =>
  fillOp((args) => ({ dims: args.ints(0), value, dtype: readDtype(args, 1, "f32") }));

/** [x, type, …] */
export const zerosOrOnesLikeOp = (value: 0 | 1) =>
  fillOp((args) => ({
    dims: args.tensor(0).dims,
    value,
    dtype: readDtype(args, 1, args.tensor(0).dtype),
  }));

/** [value, type, …] → a tensor without dimensions. */
export const scalarTensorOp = fillOp((args) => ({
  dims: [],
  value: scalar(args, 0),
  dtype: readDtype(args, 1, "f32"),
}));

/** [x, type, …] → x in that type. */
export const toCopyOp: Op = {
  infer(args) {
    const x = args.tensor(0);
    return [{ dtype: readDtype(args, 1, x.dtype), dims: x.dims }];
  },
  alias(node) {
    const x = readArguments(node).tensor(0);
    return onlyResult(node).dtype === x.dtype ? x : undefined;
  },
  lower(node, { capabilities }) {
    const x = readArguments(node).tensor(0);
    const out = onlyResult(node);
    const count = elementCount(x.dims);
    return [
      call(convert({ from: x.dtype, to: out.dtype }, capabilities), { x, out }, (values) => ({
        count: values.get(count),
      })),
    ];
  },
};

const QUANTIZED = ["i8", "u8", "i32"] as const;

/** [x, scale, zero point, least, greatest, type] → integers. */
export const quantizePerTensorOp: Op = {
  infer(args) {
    const x = args.typed(0, "f32");
    const dtype = readDtype(args, 5, "i8");
    args.support(
      QUANTIZED.some((type) => type === dtype),
      () => `to ${dtype}; supported: ${QUANTIZED.join(", ")}`,
    );
    for (const index of [1, 2, 3, 4]) args.number(index);
    return [{ dtype, dims: x.dims }];
  },
  lower(node, { capabilities }) {
    const args = readArguments(node);
    const x = args.tensor(0);
    const out = onlyResult(node);
    const count = elementCount(x.dims);
    const route = quantizePerTensor(
      {
        type: out.dtype as (typeof QUANTIZED)[number],
        scale: args.number(1),
        zeroPoint: args.number(2),
        quantMin: args.number(3),
        quantMax: args.number(4),
      },
      capabilities,
    );
    return [call(route, { x, out }, (values) => ({ count: values.get(count) }))];
  },
};

/** [x, scale, zero point, least, greatest, type, …] → f32. */
export const dequantizePerTensorOp: Op = {
  infer(args) {
    const x = args.typed(0, ...QUANTIZED);
    for (const index of [1, 2]) args.number(index);
    return [{ dtype: "f32", dims: x.dims }];
  },
  lower(node, { capabilities }) {
    const args = readArguments(node);
    const x = args.tensor(0);
    const count = elementCount(x.dims);
    const route = dequantizePerTensor(
      {
        type: x.dtype as (typeof QUANTIZED)[number],
        scale: args.number(1),
        zeroPoint: args.number(2),
      },
      capabilities,
    );
    return [call(route, { x, out: onlyResult(node) }, (values) => ({ count: values.get(count) }))];
  },
};
