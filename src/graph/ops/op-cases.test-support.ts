/** Every operator on small tensors of a live size S, with a reference in float64. */
import type { RowSource } from "../../checkpoint.ts";
import { dequantizeQ4, quantizeQ4 } from "../../quant/q4gsw.ts";
import { randomNumbers, randomValues } from "../../kernels/testing/data.ts";
import type { GraphBuilder } from "../builder.ts";
import type { Dtype, Tensor } from "../ir.ts";
import type { IntLike, SymIntRoot } from "../symint.ts";
import { symIntExpression } from "../symint.ts";
import type { Elements } from "../testing/graph-runner.ts";
import type { OpName } from "./index.ts";

/** A tensor with its values, for references. */
export class Array64 {
  readonly dims: readonly number[];
  readonly data: ArrayLike<number>;
  constructor(dims: readonly number[], data: ArrayLike<number>) {
    this.dims = dims;
    this.data = data;
  }
  /** The element at an index; dimensions of one repeat, missing ones in front do not count. */
  at(...index: readonly number[]): number {
    const own = index.slice(index.length - this.dims.length);
    let offset = 0;
    this.dims.forEach((size, axis) => {
      offset = offset * size + (size === 1 ? 0 : (own[axis] ?? 0));
    });
    return this.data[offset] ?? Number.NaN;
  }
}

/** Values of `fn` at every index of `dims`, row-major. */
export function generate(
  dims: readonly number[],
  fn: (...index: readonly number[]) => number,
): Float64Array {
  const count = dims.reduce((product, size) => product * size, 1);
  return Float64Array.from({ length: count }, (_, flat) => {
    const index: number[] = [];
    let rest = flat;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      index.unshift(rest % dims[axis]!);
      rest = Math.floor(rest / dims[axis]!);
    }
    return fn(...index);
  });
}

const sum = (length: number, fn: (i: number) => number) =>
  Array.from({ length }, (_, i) => fn(i)).reduce((total, value) => total + value, 0);

export interface OpCase {
  readonly op: OpName;
  readonly variant?: string;
  /** Dtypes and dims of the inputs; S stands for the live size. */
  readonly inputs: readonly (readonly [Dtype, ...(number | "S")[]])[];
  /** Adds the node(s); the results are the outputs. */
  readonly build: (g: GraphBuilder, inputs: readonly Tensor[], S: SymIntRoot) => readonly Tensor[];
  readonly reference: (inputs: readonly Array64[], S: number) => readonly ArrayLike<number>[];
  /** Values of an input, where random ones do not do. */
  readonly values?: (input: number, count: number) => ArrayLike<number>;
  readonly absolute?: number;
}

/** Random values of a type. */
export function randomElements(dtype: Dtype, count: number, seed: number): Elements {
  const next = randomNumbers(seed);
  switch (dtype) {
    case "f32":
      return randomValues(count, seed).map((value) => 2 * value);
    case "i32":
      return Int32Array.from({ length: count }, () => Math.floor(next() * 9) - 4);
    case "i8":
      return Int8Array.from({ length: count }, () => Math.floor(next() * 200) - 100);
    case "bool":
      return Uint8Array.from({ length: count }, () => Math.floor(next() * 2));
    default:
      return Uint8Array.from({ length: count }, () => Math.floor(next() * 256));
  }
}

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

function reduced(op: OpName, fn: (row: readonly number[]) => number): OpCase {
  return {
    op,
    inputs: [["f32", 2, "S", 6]],
    build: (g, [x]) => [
      g.node(op, "last", x!, [-1], true),
      g.node(op, "middle", x!, [1], false),
      g.node(op, "both", x!, [1, 2], false),
    ],
    reference: ([x], S) => {
      const row = (length: number, at: (i: number) => number) =>
        fn(Array.from({ length }, (_, i) => at(i)));
      return [
        generate([2, S, 1], (a, s) => row(6, (i) => x!.at(a!, s!, i))),
        generate([2, 6], (a, k) => row(S, (i) => x!.at(a!, i, k!))),
        generate([2], (a) => row(6 * S, (i) => x!.at(a!, Math.floor(i / 6), i % 6))),
      ];
    },
    absolute: 1e-5,
  };
}

function searched(op: OpName, better: (a: number, b: number) => boolean): OpCase {
  return {
    op,
    inputs: [["f32", "S", 6]],
    build: (g, [x]) => [g.node(op, "out", x!, -1, false)],
    reference: ([x], S) => [
      generate([S], (s) => {
        let best = 0;
        for (let i = 1; i < 6; i++) if (better(x!.at(s!, i), x!.at(s!, best))) best = i;
        return best;
      }),
    ],
  };
}

function softmaxRow(x: Array64, s: number, width: number): number[] {
  const values = Array.from({ length: width }, (_, i) => Math.exp(x.at(s, i)));
  const total = values.reduce((a, b) => a + b, 0);
  return values.map((value) => value / total);
}

/** Rows held in memory. */
function rowSource(rows: number, ...planes: readonly ArrayBufferView[]): RowSource {
  const bytes = planes.map(
    (plane) => new Uint8Array(plane.buffer, plane.byteOffset, plane.byteLength),
  );
  return {
    rows,
    storedRowBytes: 0,
    planeRowBytes: bytes.map((plane) => plane.byteLength / rows),
    read: (start, count) =>
      Promise.resolve(
        bytes.map((plane) => {
          const row = plane.byteLength / rows;
          return plane.slice(start * row, (start + count) * row);
        }),
      ),
  };
}

const N = 12;
const K = 64;

function q4(g: GraphBuilder, groupSize: number) {
  const planes = quantizeQ4(randomValues(N * K, 3), { rows: N, columns: K, groupSize }, "f32");
  const data = rowSource(N, planes.weight, planes.scales);
  return {
    weight: g.constant("weight", "u8", [N, K / 2], data, 0),
    scales: g.constant("scales", "f32", [N, K / groupSize], data, 1),
    dense: new Array64([N, K], dequantizeQ4(planes)),
  };
}

const dense = (groupSize: number) =>
  new Array64(
    [N, K],
    dequantizeQ4(quantizeQ4(randomValues(N * K, 3), { rows: N, columns: K, groupSize }, "f32")),
  );

const roundHalfEven = (x: number) => {
  const rounded = Math.round(x);
  return Math.abs(x % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
};

function parameters(x: Array64, s: number) {
  const row = Array.from({ length: K }, (_, k) => x.at(s, k));
  const [least, most] = [Math.min(0, ...row), Math.max(0, ...row)];
  const scale = Math.fround((most - least) / 255);
  const zero = Math.max(-128, Math.min(127, roundHalfEven(-128 - least / scale)));
  return { scale, zero };
}

const add = (a: IntLike, b: IntLike) => symIntExpression("add", a, b);

export const OP_CASES: readonly OpCase[] = [
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
    op: "aten.view_copy.default",
    inputs: [["f32", "S", 12]],
    build: (g, [x], S) => {
      const doubled = g.node("aten.add.Tensor", "doubled", x!, x!, 1);
      const view = g.node("aten.view_copy.default", "view", doubled, [1, S, 3, -1]);
      const flat = g.node("aten.squeeze_copy.dims", "squeezed", view, [0]);
      const wide = g.node("aten.unsqueeze_copy.default", "wide", flat, 1);
      const same = g.node("aten.clone.default", "same", wide, null);
      return [g.node("aten.alias_copy.default", "out", same)];
    },
    reference: ([x]) => [Float64Array.from(x!.data, (value) => 2 * value)],
  },
  {
    op: "aten.slice_copy.Tensor",
    inputs: [["f32", "S", 10]],
    build: (g, [x], S) => [
      g.node("aten.slice_copy.Tensor", "columns", x!, 1, 1, 9, 3),
      g.node("aten.slice_copy.Tensor", "open", x!, 1, -4, 2 ** 63, 1),
      g.node("aten.slice_copy.Tensor", "rows", x!, 0, symIntExpression("sub", S, 1), S, 1),
    ],
    reference: ([x], S) => [
      generate([S, 3], (s, i) => x!.at(s!, 1 + 3 * i!)),
      generate([S, 4], (s, i) => x!.at(s!, 6 + i!)),
      generate([1, 10], (_, i) => x!.at(S - 1, i!)),
    ],
  },
  {
    op: "aten.select_copy.int",
    inputs: [["f32", 2, "S", 4]],
    build: (g, [x]) => [
      g.node("aten.select_copy.int", "last", x!, 1, -1),
      g.node("aten.select_copy.int", "second", x!, 0, 1),
    ],
    reference: ([x], S) => [
      generate([2, 4], (a, i) => x!.at(a!, S - 1, i!)),
      generate([S, 4], (s, i) => x!.at(1, s!, i!)),
    ],
  },
  ...(["aten.permute_copy.default", "aten.permute.default"] as const).map((op): OpCase => ({
    op,
    inputs: [["f32", "S", 3, 2]],
    build: (g, [x]) => [g.node(op, "out", x!, [2, 0, 1])],
    reference: ([x], S) => [generate([2, S, 3], (k, s, i) => x!.at(s!, i!, k!))],
  })),
  {
    op: "aten.expand_copy.default",
    inputs: [["f32", "S", 1, 3]],
    build: (g, [x]) => [g.node("aten.expand_copy.default", "out", x!, [2, -1, 4, 3])],
    reference: ([x], S) => [generate([2, S, 4, 3], (_, s, __, i) => x!.at(s!, 0, i!))],
  },
  {
    op: "aten.repeat.default",
    inputs: [["f32", "S", 3]],
    build: (g, [x]) => [g.node("aten.repeat.default", "out", x!, [2, 1, 2])],
    reference: ([x], S) => [generate([2, S, 6], (_, s, i) => x!.at(s!, i! % 3))],
  },
  {
    op: "aten.flip.default",
    inputs: [["f32", "S", 3]],
    build: (g, [x]) => [g.node("aten.flip.default", "out", x!, [0, 1])],
    reference: ([x], S) => [generate([S, 3], (s, i) => x!.at(S - 1 - s!, 2 - i!))],
  },
  {
    op: "aten.split_with_sizes_copy.default",
    inputs: [["f32", "S", 7]],
    build: (g, [x]) => g.nodes("aten.split_with_sizes_copy.default", "out", [x!, [2, 4, 1], 1]),
    reference: ([x], S) => [
      generate([S, 2], (s, i) => x!.at(s!, i!)),
      generate([S, 4], (s, i) => x!.at(s!, 2 + i!)),
      generate([S, 1], (s) => x!.at(s!, 6)),
    ],
  },
  {
    op: "aten.cat.default",
    inputs: [
      ["f32", "S", 2],
      ["f32", 3, 2],
    ],
    build: (g, [a, b]) => [g.node("aten.cat.default", "out", [a!, b!, a!], 0)],
    reference: ([a, b], S) => [
      generate([2 * S + 3, 2], (s, i) => {
        if (s! < S) return a!.at(s!, i!);
        return s! < S + 3 ? b!.at(s! - S, i!) : a!.at(s! - S - 3, i!);
      }),
    ],
  },
  {
    op: "aten.cat.default",
    variant: "of bytes",
    inputs: [
      ["i8", "S", 3],
      ["i8", "S", 2],
    ],
    build: (g, [a, b]) => [g.node("aten.cat.default", "out", [a!, b!], -1)],
    reference: ([a, b], S) => [
      generate([S, 5], (s, i) => (i! < 3 ? a!.at(s!, i!) : b!.at(s!, i! - 3))),
    ],
  },
  {
    op: "aten.index.Tensor",
    inputs: [
      ["f32", 9, 3],
      ["i32", "S"],
    ],
    build: (g, [x, i]) => [
      g.node("aten.index.Tensor", "rows", x!, [i!]),
      g.node(
        "aten.index.Tensor",
        "of columns",
        g.node("aten.permute_copy.default", "t", x!, [1, 0]),
        [null, i!],
      ),
    ],
    reference: ([x, i], S) => {
      const row = (s: number) => (i!.at(s) + 9) % 9;
      return [
        generate([S, 3], (s, k) => x!.at(row(s!), k!)),
        generate([3, S], (k, s) => x!.at(row(s!), k!)),
      ];
    },
  },
  {
    op: "aten.index_select.default",
    inputs: [
      ["f32", "S", 5],
      ["i32", 4],
    ],
    build: (g, [x, i]) => [g.node("aten.index_select.default", "out", x!, 1, i!)],
    reference: ([x, i], S) => [generate([S, 4], (s, k) => x!.at(s!, i!.at(k!)))],
    values: (input, count) =>
      input === 0 ? randomValues(count, 4) : Array.from({ length: count }, (_, k) => (2 * k) % 5),
  },
  {
    op: "aten.gather.default",
    inputs: [
      ["f32", "S", 5],
      ["i32", "S", 2],
    ],
    build: (g, [x, i]) => [g.node("aten.gather.default", "out", x!, 1, i!, false)],
    reference: ([x, i], S) => [generate([S, 2], (s, k) => x!.at(s!, i!.at(s!, k!)))],
    values: (input, count) =>
      input === 0 ? randomValues(count, 4) : Array.from({ length: count }, (_, k) => (3 * k) % 5),
  },
  {
    op: "aten.embedding.default",
    inputs: [
      ["f32", 9, 3],
      ["i32", 1, "S"],
    ],
    build: (g, [table, i]) => [
      g.node("aten.embedding.default", "out", table!, i!, -1, false, false),
    ],
    reference: ([table, i], S) => [generate([1, S, 3], (_, s, k) => table!.at(i!.at(0, s!), k!))],
    values: (input, count) =>
      input === 0 ? randomValues(count, 4) : Array.from({ length: count }, (_, k) => (4 * k) % 9),
  },
  {
    op: "aten.full.default",
    inputs: [["f32", "S", 3]],
    build: (g, [x], S) => [
      g.node("aten.full.default", "full", [S, 2], 1.5, null),
      g.node("aten.full_like.default", "like", x!, -3, "i32"),
      g.node("aten.zeros.default", "zeros", [S], null),
      g.node("aten.zeros_like.default", "zeros_like", x!, null),
      g.node("aten.ones.default", "ones", [add(S, 1)], "bool"),
      g.node("aten.ones_like.default", "ones_like", x!, "i8"),
      g.node("aten.scalar_tensor.default", "scalar", 7, null),
    ],
    reference: (_, S) => [
      generate([S, 2], () => 1.5),
      generate([S, 3], () => -3),
      generate([S], () => 0),
      generate([S, 3], () => 0),
      generate([S + 1], () => 1),
      generate([S, 3], () => 1),
      [7],
    ],
  },
  ...(["aten._to_copy.default", "dim_order_ops._to_dim_order_copy.default"] as const).map(
    (op): OpCase => ({
      op,
      inputs: [["f32", "S", 3]],
      build: (g, [x]) => [g.node(op, "integers", x!, "i32"), g.node(op, "bools", x!, "bool")],
      reference: ([x]) => [
        Float64Array.from(x!.data, Math.trunc),
        Float64Array.from(x!.data, (value) => Number(value !== 0)),
      ],
    }),
  ),
  {
    op: "dim_order_ops._clone_dim_order.default",
    inputs: [["f32", "S", 3]],
    build: (g, [x]) => [
      g.node("aten.neg.default", "out", g.node("dim_order_ops._clone_dim_order.default", "c", x!)),
    ],
    reference: ([x]) => [Float64Array.from(x!.data, (value) => -value)],
  },
  reduced("aten.sum.dim_IntList", (row) => row.reduce((a, b) => a + b, 0)),
  reduced("aten.mean.dim", (row) => row.reduce((a, b) => a + b, 0) / row.length),
  reduced("aten.amax.default", (row) => Math.max(...row)),
  reduced("aten.amin.default", (row) => Math.min(...row)),
  searched("aten.argmax.default", (a, b) => a > b),
  searched("aten.argmin.default", (a, b) => a < b),
  {
    op: "aten._softmax.default",
    inputs: [["f32", "S", 6]],
    build: (g, [x]) => [g.node("aten._softmax.default", "out", x!, -1, false)],
    reference: ([x], S) => [generate([S, 6], (s, i) => softmaxRow(x!, s!, 6)[i!]!)],
    absolute: 1e-6,
  },
  {
    op: "aten._log_softmax.default",
    inputs: [["f32", "S", 6]],
    build: (g, [x]) => [g.node("aten._log_softmax.default", "out", x!, 1, false)],
    reference: ([x], S) => [generate([S, 6], (s, i) => Math.log(softmaxRow(x!, s!, 6)[i!]!))],
    absolute: 1e-5,
  },
  {
    op: "aten.native_layer_norm.default",
    inputs: [
      ["f32", "S", 8],
      ["f32", 8],
      ["f32", 8],
    ],
    build: (g, [x, w, b]) =>
      g.nodes("aten.native_layer_norm.default", "out", [x!, [8], w!, b!, 1e-5]),
    reference: ([x, w, b], S) => {
      const mean = (s: number) => sum(8, (i) => x!.at(s, i)) / 8;
      const rstd = (s: number) =>
        1 / Math.sqrt(sum(8, (i) => (x!.at(s, i) - mean(s)) ** 2) / 8 + 1e-5);
      return [
        generate([S, 8], (s, i) => (x!.at(s!, i!) - mean(s!)) * rstd(s!) * w!.at(i!) + b!.at(i!)),
        generate([S, 1], (s) => mean(s!)),
        generate([S, 1], (s) => rstd(s!)),
      ];
    },
    absolute: 1e-5,
  },
  {
    op: "et_vk.rms_norm.default",
    inputs: [
      ["f32", 1, "S", 8],
      ["f32", 8],
    ],
    build: (g, [x, w]) => [g.node("et_vk.rms_norm.default", "out", x!, w!, 1e-5)],
    reference: ([x, w], S) => [
      generate([1, S, 8], (_, s, i) => {
        const square = sum(8, (k) => x!.at(0, s!, k) ** 2) / 8;
        return (x!.at(0, s!, i!) / Math.sqrt(square + 1e-5)) * w!.at(i!);
      }),
    ],
    absolute: 1e-5,
  },
  {
    op: "aten.linear.default",
    inputs: [
      ["f32", 1, "S", 7],
      ["f32", 5, 7],
      ["f32", 5],
    ],
    build: (g, [x, w, b]) => [
      g.node("aten.linear.default", "out", x!, w!, b!),
      g.node("aten.linear.default", "plain", x!, w!, null),
    ],
    reference: ([x, w, b], S) => {
      const product = (s: number, n: number) => sum(7, (k) => x!.at(0, s, k) * w!.at(n, k));
      return [
        generate([1, S, 5], (_, s, n) => product(s!, n!) + b!.at(n!)),
        generate([1, S, 5], (_, s, n) => product(s!, n!)),
      ];
    },
    absolute: 1e-5,
  },
  {
    op: "aten.mm.default",
    inputs: [
      ["f32", "S", 7],
      ["f32", 7, 5],
    ],
    build: (g, [a, b]) => [g.node("aten.mm.default", "out", a!, b!)],
    reference: ([a, b], S) => [
      generate([S, 5], (s, n) => sum(7, (k) => a!.at(s!, k) * b!.at(k, n!))),
    ],
    absolute: 1e-5,
  },
  {
    op: "aten.bmm.default",
    inputs: [
      ["f32", 2, "S", 7],
      ["f32", 2, 7, 5],
    ],
    build: (g, [a, b]) => [g.node("aten.bmm.default", "out", a!, b!)],
    reference: ([a, b], S) => [
      generate([2, S, 5], (z, s, n) => sum(7, (k) => a!.at(z!, s!, k) * b!.at(z!, k, n!))),
    ],
    absolute: 1e-5,
  },
  {
    op: "aten.addmm.default",
    inputs: [
      ["f32", 5],
      ["f32", "S", 7],
      ["f32", 7, 5],
    ],
    build: (g, [c, a, b]) => [g.node("aten.addmm.default", "out", c!, a!, b!, 0.5, 2)],
    reference: ([c, a, b], S) => [
      generate([S, 5], (s, n) => 0.5 * c!.at(n!) + 2 * sum(7, (k) => a!.at(s!, k) * b!.at(k, n!))),
    ],
    absolute: 1e-4,
  },
  {
    op: "et_vk.linear_q4gsw.default",
    inputs: [
      ["f32", "S", K],
      ["f32", N],
    ],
    build: (g, [x, b]) => {
      const { weight, scales } = q4(g, 32);
      return [g.node("et_vk.linear_q4gsw.default", "out", x!, weight, scales, 32, b!)];
    },
    reference: ([x, b], S) => [
      generate([S, N], (s, n) => sum(K, (k) => x!.at(s!, k) * dense(32).at(n!, k)) + b!.at(n!)),
    ],
    absolute: 1e-4,
  },
  {
    op: "et_vk.linear_qcs4w.default",
    inputs: [["f32", "S", K]],
    build: (g, [x]) => {
      const { weight, scales } = q4(g, K);
      return [g.node("et_vk.linear_qcs4w.default", "out", x!, weight, scales)];
    },
    reference: ([x], S) => [
      generate([S, N], (s, n) => sum(K, (k) => x!.at(s!, k) * dense(K).at(n!, k))),
    ],
    absolute: 1e-4,
  },
  {
    op: "et_vk.linear_dq8ca_q4gsw.default",
    inputs: [["f32", "S", K]],
    build: (g, [x]) => {
      const { weight, scales } = q4(g, 32);
      const choose = "torchao.choose_qparams_affine.default";
      const [scale, zero] = g.nodes(choose, "qparams", [x!, "ASYMMETRIC", [1, K], null, -128, 127]);
      return [
        g.node(
          "et_vk.linear_dq8ca_q4gsw.default",
          "out",
          x!,
          scale!,
          zero!,
          weight,
          null,
          scales,
          32,
          null,
        ),
      ];
    },
    reference: ([x], S) => [
      generate([S, N], (s, n) => {
        const { scale, zero } = parameters(x!, s!);
        return sum(K, (k) => {
          const q = Math.max(-128, Math.min(127, roundHalfEven(x!.at(s!, k) / scale) + zero));
          return scale * (q - zero) * dense(32).at(n!, k);
        });
      }),
    ],
    // A value at the edge between two integers may fall to either.
    absolute: 0.05,
  },
  {
    op: "torchao.choose_qparams_affine.default",
    inputs: [["f32", "S", K]],
    build: (g, [x]) =>
      g.nodes("torchao.choose_qparams_affine.default", "q", [
        x!,
        "ASYMMETRIC",
        [1, K],
        null,
        -128,
        127,
      ]),
    reference: ([x], S) => [
      generate([S], (s) => parameters(x!, s!).scale),
      generate([S], (s) => parameters(x!, s!).zero),
    ],
    absolute: 1e-6,
  },
  {
    op: "et_vk.embedding_q4gsw.default",
    inputs: [["i32", 1, "S"]],
    build: (g, [i]) => {
      const { weight, scales } = q4(g, 32);
      return [g.node("et_vk.embedding_q4gsw.default", "out", weight, scales, 32, i!, true)];
    },
    reference: ([i], S) => [generate([1, S, K], (_, s, k) => dense(32).at(i!.at(0, s!), k!))],
    values: (_, count) => Array.from({ length: count }, (_, s) => (5 * s) % N),
    absolute: 1e-6,
  },
  {
    op: "quantized_decomposed.quantize_per_tensor.default",
    inputs: [["f32", "S", 5]],
    build: (g, [x]) => {
      const [quantize, dequantize] = [
        "quantized_decomposed.quantize_per_tensor.default",
        "quantized_decomposed.dequantize_per_tensor.default",
      ] as const;
      const q = g.node(quantize, "q", x!, 0.25, 3, -128, 127, "i8");
      return [q, g.node(dequantize, "d", q, 0.25, 3, -128, 127, null)];
    },
    reference: ([x]) => {
      const q = Float64Array.from(x!.data, (value) => roundHalfEven(value * 4) + 3);
      return [q, q.map((value) => (value - 3) * 0.25)];
    },
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
