/** Elementwise operators of one or two tensors. */
import { elementwiseBinary } from "../../kernels/elementwise_binary/elementwise-binary.ts";
import type { BinaryOp } from "../../kernels/elementwise_binary/elementwise-binary.ts";
import { elementwiseUnary } from "../../kernels/elementwise_unary/elementwise-unary.ts";
import type { UnaryOperation } from "../../kernels/elementwise_unary/elementwise-unary.ts";
import { siluMul } from "../../kernels/silu_mul/silu-mul.ts";
import { elementCount } from "../ir.ts";
import { call, onlyResult, readArguments } from "./op.ts";
import type { ArgumentReader, Op } from "./op.ts";
import { broadcastDims, broadcastStrides, sameDims } from "./shape.ts";

/** [a, b] → broadcast of both; `add` and `sub` take a third argument, alpha, that multiplies b. */
export function binaryOp(op: BinaryOp, hasAlpha = false): Op {
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

/** [a, b, rounding mode] → broadcast of both; null divides exactly, "floor" rounds down. */
export const divModeOp: Op = {
  infer(args) {
    if (!args.isAbsent(2)) {
      const mode = args.string(2);
      args.support(mode === "floor", () => `rounding mode "${mode}"; supported: floor`);
    }
    return binaryOp("div").infer(args);
  },
  lower(node, context) {
    const isExact = readArguments(node).isAbsent(2);
    return binaryOp(isExact ? "div" : "div_floor").lower(node, context);
  },
};

/** [x, …] → like x; what is done may depend on further arguments. */
export function unaryOp(
  operation: UnaryOperation | ((args: ArgumentReader) => UnaryOperation),
): Op {
  const read = (args: ArgumentReader) =>
    typeof operation === "function" ? operation(args) : operation;
  return {
    infer(args) {
      const x = args.typed(0, "f32", "f16", "i32");
      read(args);
      return [{ dtype: x.dtype, dims: x.dims }];
    },
    lower(node, { capabilities }) {
      const args = readArguments(node);
      const x = args.tensor(0);
      const count = elementCount(x.dims);
      const type = x.dtype as "f32" | "f16" | "i32";
      const route = elementwiseUnary({ ...read(args), type }, capabilities);
      return [
        call(route, { x, out: onlyResult(node) }, (values) => ({ count: values.get(count) })),
      ];
    },
  };
}

/** [x, min | null, max | null]; `hardtanh` clamps to ±1 where it is given nothing. */
export function clampOp(least?: number, most?: number): Op {
  return unaryOp((args) => {
    const min = args.optionalNumber(1) ?? least;
    const max = args.optionalNumber(2) ?? most;
    return {
      op: "clamp",
      ...(min === undefined ? {} : { min }),
      ...(max === undefined ? {} : { max }),
    };
  });
}

/** [x, "none" | "tanh"] */
export const geluOp = unaryOp((args) => {
  const approximate = args.isAbsent(1) ? "none" : args.string(1);
  args.support(approximate === "none" || approximate === "tanh", () => `gelu "${approximate}"`);
  return { op: approximate === "tanh" ? "gelu_tanh" : "gelu_erf" };
});

/** [x, exponent] */
export const powScalarOp = unaryOp((args) => ({ op: "pow_scalar", exponent: args.number(1) }));

/** [x, negative slope] */
export const leakyReluOp = unaryOp((args) => ({
  op: "leaky_relu",
  slope: args.optionalNumber(1) ?? 0.01,
}));

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
    const width = gate.dims.at(-1);
    const wholeQuads = typeof width === "number" && width % 4 === 0;
    return [
      call(
        siluMul({ wholeQuads }, capabilities),
        { gate, up: args.tensor(1), out: onlyResult(node) },
        (values) => ({ count: values.get(count) }),
      ),
    ];
  },
};
