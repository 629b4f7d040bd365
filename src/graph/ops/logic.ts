/** Comparisons, logic and choice between tensors. */
import { bitwise } from "../../kernels/bitwise/bitwise.ts";
import type { BitwiseShape } from "../../kernels/bitwise/bitwise.ts";
import { compare } from "../../kernels/compare/compare.ts";
import type { CompareOp } from "../../kernels/compare/compare.ts";
import { where } from "../../kernels/where/where.ts";
import { DTYPE_BYTES, elementCount } from "../ir.ts";
import type { Dtype, Tensor } from "../ir.ts";
import { call, onlyResult, readArguments } from "./op.ts";
import type { ArgumentReader, Op } from "./op.ts";
import { broadcastDims, broadcastStrides, sameDims } from "./shape.ts";

const ANY: readonly Dtype[] = ["f32", "f16", "i32", "i8", "u8", "bool"];

function checkSame(args: ArgumentReader, a: Tensor, b: Tensor): void {
  args.support(
    sameDims(a.dims, b.dims),
    () => `"${a.name}" and "${b.name}" differ in shape; supported: one shape`,
  );
}

/** [a, b] → bool like a; b a tensor of the same shape, or a number. */
export function compareOp(op: CompareOp, other: "tensor" | "scalar"): Op {
  return {
    infer(args) {
      const a = args.typed(0, ...ANY);
      if (other === "tensor") checkSame(args, a, args.typed(1, a.dtype));
      else args.number(1);
      return [{ dtype: "bool", dims: a.dims }];
    },
    lower(node, { capabilities }) {
      const args = readArguments(node);
      const a = args.tensor(0);
      const out = onlyResult(node);
      const count = elementCount(a.dims);
      const shape = { op, type: a.dtype };
      const route = compare(
        other === "tensor" ? shape : { ...shape, scalar: args.number(1) },
        capabilities,
      );
      const operands = other === "tensor" ? { a, b: args.tensor(1), out } : { a, out };
      return [call(route, operands, (values) => ({ count: values.get(count) }))];
    },
  };
}

/** [a, b] or [a] → like a; logical operators take bools. */
export function bitwiseOp(op: BitwiseShape["op"], dtypes: readonly BitwiseShape["type"][]): Op {
  return {
    infer(args) {
      const a = args.typed(0, ...dtypes);
      if (op !== "not") checkSame(args, a, args.typed(1, a.dtype));
      return [{ dtype: a.dtype, dims: a.dims }];
    },
    lower(node, { capabilities }) {
      const args = readArguments(node);
      const a = args.tensor(0);
      const out = onlyResult(node);
      const count = elementCount(a.dims);
      const route = bitwise({ op, type: a.dtype as BitwiseShape["type"] }, capabilities);
      const operands = op === "not" ? { a, out } : { a, b: args.tensor(1), out };
      return [call(route, operands, (values) => ({ count: values.get(count) }))];
    },
  };
}

/** [condition bool, a, b] → broadcast of all three. */
export const whereOp: Op = {
  infer(args) {
    const condition = args.typed(0, "bool");
    const a = args.typed(1, ...ANY);
    const b = args.typed(2, a.dtype);
    const both = { name: a.name, dims: broadcastDims(args.op, a, b) };
    return [{ dtype: a.dtype, dims: broadcastDims(args.op, condition, both) }];
  },
  lower(node, { capabilities }) {
    const args = readArguments(node);
    const [condition, a, b] = [args.tensor(0), args.tensor(1), args.tensor(2)];
    const out = onlyResult(node);
    const strides = [condition, a, b].map((tensor) => broadcastStrides(tensor, out.dims));
    const elementBytes = DTYPE_BYTES[out.dtype] as 1 | 2 | 4;
    return [
      call(where({ elementBytes }, capabilities), { condition, a, b, out }, (values) => {
        const [conditionStrides = [], aStrides = [], bStrides = []] = strides.map((list) =>
          list.map((stride) => values.get(stride)),
        );
        const dims = out.dims.map((dim) => values.get(dim));
        return { dims, conditionStrides, aStrides, bStrides };
      }),
    ];
  },
};
