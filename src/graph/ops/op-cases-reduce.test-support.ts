/** Reductions, softmax and normalisation. */
import type { Dtype } from "../ir.ts";
import { generate, sum } from "./op-case.test-support.ts";
import type { Array64, OpCase } from "./op-case.test-support.ts";
import type { OpName } from "./index.ts";

type Float = "f32" | "f16";

function reduced(op: OpName, dtype: Dtype, fn: (row: readonly number[]) => number): OpCase {
  return {
    op,
    variant: dtype,
    inputs: [[dtype, 2, "S", 6]],
    build: (g, [x]) => [
      g.node(op, "last", x!, [-1], true),
      g.node(op, "middle", x!, [1], false),
      g.node(op, "both", x!, [1, 2], false),
    ],
    reference: ([x], S) => {
      const row = (length: number, at: (i: number) => number) =>
        fn(Array.from({ length }, (_, i) => at(i)));
      return [
        generate([2, S, 1], (a, s) => row(6, (i) => x!.at(a, s, i))),
        generate([2, 6], (a, k) => row(S, (i) => x!.at(a, i, k))),
        generate([2], (a) => row(6 * S, (i) => x!.at(a, Math.floor(i / 6), i % 6))),
      ];
    },
    absolute: dtype === "i32" ? 0 : 1e-5,
  };
}

function searched(op: OpName, dtype: Dtype, better: (a: number, b: number) => boolean): OpCase {
  return {
    op,
    variant: dtype,
    inputs: [[dtype, "S", 7]],
    build: (g, [x]) => [g.node(op, "out", x!, -1, false)],
    reference: ([x], S) => [
      generate([S], (s) => {
        let best = 0;
        for (let i = 1; i < 7; i++) if (better(x!.at(s, i), x!.at(s, best))) best = i;
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

function softmax(op: OpName, dtype: Float, fn: (share: number) => number): OpCase {
  return {
    op,
    variant: dtype,
    inputs: [[dtype, "S", 7]],
    build: (g, [x]) => [g.node(op, "out", x!, -1, false)],
    reference: ([x], S) => [generate([S, 7], (s, i) => fn(softmaxRow(x!, s, 7)[i]!))],
    absolute: 1e-5,
  };
}

function layerNorm(dtype: Float): OpCase {
  return {
    op: "aten.native_layer_norm.default",
    variant: dtype,
    inputs: [
      [dtype, "S", 9],
      [dtype, 9],
      [dtype, 9],
    ],
    build: (g, [x, w, b]) =>
      g.nodes("aten.native_layer_norm.default", "out", [x!, [9], w!, b!, 1e-5]),
    reference: ([x, w, b], S) => {
      const mean = (s: number) => sum(9, (i) => x!.at(s, i)) / 9;
      const rstd = (s: number) =>
        1 / Math.sqrt(sum(9, (i) => (x!.at(s, i) - mean(s)) ** 2) / 9 + 1e-5);
      return [
        generate([S, 9], (s, i) => (x!.at(s, i) - mean(s)) * rstd(s) * w!.at(i) + b!.at(i)),
        generate([S, 1], (s) => mean(s)),
        generate([S, 1], (s) => rstd(s)),
      ];
    },
    absolute: 1e-5,
  };
}

const FLOATS = ["f32", "f16"] as const;
const NUMBERS = ["f32", "f16", "i32"] as const;
const total = (row: readonly number[]) => row.reduce((a, b) => a + b, 0);

export const REDUCE_CASES: readonly OpCase[] = [
  ...NUMBERS.flatMap((dtype) => [
    reduced("aten.sum.dim_IntList", dtype, total),
    reduced("aten.amax.default", dtype, (row) => Math.max(...row)),
    reduced("aten.amin.default", dtype, (row) => Math.min(...row)),
    searched("aten.argmax.default", dtype, (a, b) => a > b),
    searched("aten.argmin.default", dtype, (a, b) => a < b),
  ]),
  ...FLOATS.flatMap((dtype) => [
    reduced("aten.mean.dim", dtype, (row) => total(row) / row.length),
    softmax("aten._softmax.default", dtype, (share) => share),
    softmax("aten._log_softmax.default", dtype, Math.log),
    layerNorm(dtype),
  ]),
  {
    op: "et_vk.rms_norm.default",
    inputs: [
      ["f32", 1, "S", 8],
      ["f32", 8],
    ],
    build: (g, [x, w]) => [g.node("et_vk.rms_norm.default", "out", x!, w!, 1e-5)],
    reference: ([x, w], S) => [
      generate([1, S, 8], (_, s, i) => {
        const square = sum(8, (k) => x!.at(0, s, k) ** 2) / 8;
        return (x!.at(0, s, i) / Math.sqrt(square + 1e-5)) * w!.at(i);
      }),
    ],
    absolute: 1e-5,
  },
];
