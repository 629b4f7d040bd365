/** Elementwise operators, comparisons and logic. */
import { randomValues } from "../../kernels/testing/data.ts";
import type { Dtype } from "../ir.ts";
import { generate, roundHalfEven } from "./op-case.test-support.ts";
import type { OpCase } from "./op-case.test-support.ts";
import type { OpName } from "./index.ts";

function unary(
  op: OpName,
  fn: (x: number) => number,
  more: Partial<OpCase> = {},
  ...args: (number | string | null)[]
): OpCase {
  return {
    op,
    inputs: [["f32", "S", 5]],
    build: (g, [x]) => [g.node(op, "out", x!, ...args)],
    reference: ([x]) => [Float64Array.from(x!.data, fn)],
    absolute: 1e-5,
    ...more,
  };
}

const positive = (_: number, count: number) => randomValues(count, 7).map((x) => Math.abs(x) + 0.1);

function binary(
  op: OpName,
  fn: (a: number, b: number) => number,
  more: Partial<OpCase> = {},
  ...args: (number | string)[]
): OpCase {
  return {
    op,
    inputs: [
      ["f32", "S", 3, 4],
      ["f32", "S", 1, 4],
    ],
    build: (g, [a, b]) => [g.node(op, "out", a!, b!, ...args)],
    reference: ([a, b], S) => [generate([S, 3, 4], (...i) => fn(a!.at(...i), b!.at(...i)))],
    absolute: 1e-5,
    ...more,
  };
}

function compared(op: OpName, fn: (a: number, b: number) => boolean): OpCase {
  return {
    op,
    inputs: [
      ["i32", "S", 5],
      ["i32", "S", 5],
    ],
    build: (g, [a, b]) => [g.node(op, "out", a!, b!)],
    reference: ([a, b]) => [Float64Array.from(a!.data, (x, i) => Number(fn(x, b!.data[i]!)))],
  };
}

function comparedToScalar(op: OpName, fn: (a: number, b: number) => boolean): OpCase {
  return {
    op,
    inputs: [["f32", "S", 5]],
    build: (g, [a]) => [g.node(op, "out", a!, 0.5)],
    reference: ([a]) => [Float64Array.from(a!.data, (x) => Number(fn(x, 0.5)))],
    values: (_, count) => Array.from({ length: count }, (_, i) => (i % 5) / 4),
  };
}

function logical(op: OpName, dtype: Dtype, fn: (a: number, b: number) => number): OpCase {
  const isNot = op.includes("not");
  return {
    op,
    variant: dtype,
    inputs: isNot
      ? [[dtype, "S", 3]]
      : [
          [dtype, "S", 3],
          [dtype, "S", 3],
        ],
    build: (g, [a, b]) => [isNot ? g.node(op, "out", a!) : g.node(op, "out", a!, b!)],
    reference: ([a, b]) => [Float64Array.from(a!.data, (x, i) => fn(x, b?.data[i] ?? 0))],
  };
}

export const ELEMENTWISE_CASES: readonly OpCase[] = [
  binary("aten.add.Tensor", (a, b) => a + 2 * b, {}, 2),
  binary("aten.sub.Tensor", (a, b) => a - b, {}, 1),
  binary("aten.mul.Tensor", (a, b) => a * b),
  binary("aten.div.Tensor", (a, b) => a / b, { values: positive }),
  binary("aten.div.Tensor_mode", (a, b) => Math.floor(a / b), { values: positive }, "floor"),
  binary("aten.minimum.default", Math.min),
  binary("aten.pow.Tensor_Tensor", (a, b) => a ** b, { values: positive, absolute: 1e-4 }),
  {
    ...binary("aten.mul.Tensor", (a, b) => a * b),
    variant: "i32",
    inputs: [
      ["i32", "S", 3, 4],
      ["i32", 4],
    ],
  },
  unary("aten.sigmoid.default", (x) => 1 / (1 + Math.exp(-x))),
  unary("aten.silu.default", (x) => x / (1 + Math.exp(-x))),
  unary("aten.relu.default", (x) => Math.max(x, 0)),
  unary("aten.tanh.default", Math.tanh),
  unary("aten.exp.default", Math.exp),
  unary("aten.sqrt.default", Math.sqrt, { values: positive }),
  unary("aten.rsqrt.default", (x) => 1 / Math.sqrt(x), { values: positive }),
  unary("aten.abs.default", Math.abs),
  unary("aten.neg.default", (x) => -x),
  unary("aten.sin.default", Math.sin),
  unary("aten.cos.default", Math.cos),
  unary("aten.round.default", roundHalfEven),
  unary("aten.hardswish.default", (x) => (x * Math.min(Math.max(x + 3, 0), 6)) / 6),
  unary(
    "aten.gelu.default",
    (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
    {},
    "tanh",
  ),
  unary("aten.leaky_relu.default", (x) => (x < 0 ? 0.2 * x : x), {}, 0.2),
  unary("aten.clamp.default", (x) => Math.max(x, -0.5), {}, -0.5, null),
  unary("aten.hardtanh.default", (x) => Math.min(Math.max(x, -0.25), 0.75), {}, -0.25, 0.75),
  unary("aten.pow.Tensor_Scalar", (x) => x ** 3, {}, 3),
  compared("aten.eq.Tensor", (a, b) => a === b),
  compared("aten.lt.Tensor", (a, b) => a < b),
  compared("aten.le.Tensor", (a, b) => a <= b),
  compared("aten.gt.Tensor", (a, b) => a > b),
  compared("aten.ge.Tensor", (a, b) => a >= b),
  comparedToScalar("aten.eq.Scalar", (a, b) => a === b),
  comparedToScalar("aten.ne.Scalar", (a, b) => a !== b),
  comparedToScalar("aten.lt.Scalar", (a, b) => a < b),
  comparedToScalar("aten.le.Scalar", (a, b) => a <= b),
  comparedToScalar("aten.gt.Scalar", (a, b) => a > b),
  comparedToScalar("aten.ge.Scalar", (a, b) => a >= b),
  logical("aten.logical_and.default", "bool", (a, b) => a & b),
  logical("aten.logical_or.default", "bool", (a, b) => a | b),
  logical("aten.logical_not.default", "bool", (a) => 1 - a),
  logical("aten.bitwise_and.Tensor", "i32", (a, b) => a & b),
  logical("aten.bitwise_or.Tensor", "u8", (a, b) => a | b),
  logical("aten.bitwise_not.default", "i8", (a) => ~a),
  {
    op: "aten.where.self",
    inputs: [
      ["bool", "S", 4],
      ["f32", "S", 4],
      ["f32", 1],
    ],
    build: (g, [c, a, b]) => [g.node("aten.where.self", "out", c!, a!, b!)],
    reference: ([c, a, b], S) => [
      generate([S, 4], (...i) => (c!.at(...i) ? a!.at(...i) : b!.at(0))),
    ],
  },
  {
    op: "tetrad.silu_mul",
    inputs: [
      ["f32", "S", 8],
      ["f32", "S", 8],
    ],
    build: (g, [a, b]) => [g.node("tetrad.silu_mul", "out", a!, b!)],
    reference: ([a, b]) => [
      Float64Array.from(a!.data, (x, i) => (x / (1 + Math.exp(-x))) * b!.data[i]!),
    ],
    absolute: 1e-5,
  },
];
