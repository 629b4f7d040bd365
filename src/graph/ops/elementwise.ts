/** Elementwise operators of two tensors, or of a tensor and a number. */
import { elementwiseBinary } from "../../kernels/elementwise_binary/elementwise-binary.ts";
import type { BinaryOp } from "../../kernels/elementwise_binary/elementwise-binary.ts";
import { elementwiseUnary } from "../../kernels/elementwise_unary/elementwise-unary.ts";
import { siluMul } from "../../kernels/silu_mul/silu-mul.ts";
import { elementCount } from "../ir.ts";
import type { Tensor } from "../ir.ts";
import type { IntLike } from "../symint.ts";
import { call, onlyResult, readArguments } from "./op.ts";
import type { Op } from "./op.ts";
import { broadcastDims, contiguousStrides, sameDims } from "./shape.ts";

/** Strides of `x` when read with the dims of a broadcast result: 0 where it repeats. */
function broadcastStrides(x: Tensor, dims: readonly IntLike[]): IntLike[] {
  const strides = contiguousStrides(x.dims);
  const lead = dims.length - x.dims.length;
  return dims.map((_, axis) => {
    const own = axis - lead;
    return own < 0 || x.dims[own] === 1 ? 0 : (strides[own] ?? 0);
  });
}

/** [a, b] → broadcast of both; `add` and `sub` take a third argument, alpha, that multiplies b. */
export function binaryOp(op: BinaryOp, hasAlpha: boolean): Op {
  return {
    infer(args) {
      const a = args.typed(0, "f32", "f16", "i32");
      const b = args.typed(1, a.dtype);
      return [{ dtype: a.dtype, dims: broadcastDims(args.op, a, b) }];
    },
    lower(node, { capabilities }) {
      const args = readArguments(node);
      const [a, b] = [args.tensor(0), args.tensor(1)];
      const out = onlyResult(node);
      const operands = { a, b, out };
      const alpha = hasAlpha ? (args.optionalNumber(2) ?? 1) : 1;
      const shape = { op, type: out.dtype as "f32" | "f16" | "i32", alpha };
      if (sameDims(a.dims, out.dims) && sameDims(b.dims, out.dims)) {
        const count = elementCount(out.dims);
        const route = elementwiseBinary({ ...shape, broadcast: false }, capabilities);
        return [call(route, operands, (values) => ({ count: values.get(count) }))];
      }
      const route = elementwiseBinary({ ...shape, broadcast: true }, capabilities);
      const aStrides = broadcastStrides(a, out.dims);
      const bStrides = broadcastStrides(b, out.dims);
      return [
        call(route, operands, (values) => ({
          dims: out.dims.map((dim) => values.get(dim)),
          aStrides: aStrides.map((stride) => values.get(stride)),
          bStrides: bStrides.map((stride) => values.get(stride)),
        })),
      ];
    },
  };
}

/** [x] → like x. */
export function unaryOp(op: "sigmoid"): Op {
  return {
    infer(args) {
      const x = args.typed(0, "f32");
      return [{ dtype: x.dtype, dims: x.dims }];
    },
    lower(node, { capabilities }) {
      const x = readArguments(node).tensor(0);
      const count = elementCount(x.dims);
      const route = elementwiseUnary({ op, type: "f32" }, capabilities);
      return [
        call(route, { x, out: onlyResult(node) }, (values) => ({ count: values.get(count) })),
      ];
    },
  };
}

/** [gate, up] → gate · sigmoid(gate) · up: what SwiGLU computes between its projections. */
export const siluMulOp: Op = {
  infer(args) {
    const gate = args.typed(0, "f32");
    const up = args.typed(1, "f32");
    args.check(sameDims(gate.dims, up.dims), () => "gate and up differ in shape");
    return [{ dtype: "f32", dims: gate.dims }];
  },
  lower(node, { capabilities }) {
    const args = readArguments(node);
    const gate = args.tensor(0);
    const count = elementCount(gate.dims);
    return [
      call(
        siluMul({}, capabilities),
        { gate, up: args.tensor(1), out: onlyResult(node) },
        (values) => ({ count: values.get(count) }),
      ),
    ];
  },
};
