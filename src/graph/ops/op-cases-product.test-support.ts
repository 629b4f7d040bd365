/** Products of matrices of floats. */
import { generate, sum } from "./op-case.test-support.ts";
import type { Array64, OpCase } from "./op-case.test-support.ts";

function products(dtype: "f32" | "f16"): OpCase[] {
  return [
    {
      op: "aten.linear.default",
      variant: dtype,
      inputs: [
        [dtype, 1, "S", 7],
        [dtype, 5, 7],
        [dtype, 5],
      ],
      build: (g, [x, w, b]) => [
        g.node("aten.linear.default", "out", x!, w!, b!),
        g.node("aten.linear.default", "plain", x!, w!, null),
      ],
      reference: ([x, w, b], S) => {
        const product = (s: number, n: number) => sum(7, (k) => x!.at(0, s, k) * w!.at(n, k));
        return [
          generate([1, S, 5], (_, s, n) => product(s, n) + b!.at(n)),
          generate([1, S, 5], (_, s, n) => product(s, n)),
        ];
      },
      absolute: 1e-5,
    },
    {
      op: "aten.linear.default",
      variant: `${dtype} one row`,
      inputs: [
        [dtype, 1, 33],
        [dtype, 5, 33],
      ],
      build: (g, [x, w]) => [g.node("aten.linear.default", "out", x!, w!, null)],
      reference: ([x, w]) => [
        generate([1, 5], (_, n) => sum(33, (k) => x!.at(0, k) * w!.at(n, k))),
      ],
      absolute: 1e-5,
    },
    {
      op: "aten.mm.default",
      variant: dtype,
      inputs: [
        [dtype, "S", 7],
        [dtype, 7, 5],
      ],
      build: (g, [a, b]) => [g.node("aten.mm.default", "out", a!, b!)],
      reference: ([a, b], S) => [generate([S, 5], (s, n) => dot(a!, b!, s, n))],
      absolute: 1e-5,
    },
    {
      op: "aten.bmm.default",
      variant: dtype,
      inputs: [
        [dtype, 2, "S", 7],
        [dtype, 2, 7, 5],
      ],
      build: (g, [a, b]) => [g.node("aten.bmm.default", "out", a!, b!)],
      reference: ([a, b], S) => [
        generate([2, S, 5], (z, s, n) => sum(7, (k) => a!.at(z, s, k) * b!.at(z, k, n))),
      ],
      absolute: 1e-5,
    },
    {
      op: "aten.addmm.default",
      variant: dtype,
      inputs: [
        [dtype, 5],
        [dtype, "S", 7],
        [dtype, 7, 5],
      ],
      build: (g, [c, a, b]) => [g.node("aten.addmm.default", "out", c!, a!, b!, 0.5, 2)],
      reference: ([c, a, b], S) => [
        generate([S, 5], (s, n) => 0.5 * c!.at(n) + 2 * dot(a!, b!, s, n)),
      ],
      absolute: 1e-4,
    },
  ];
}

const dot = (a: Array64, b: Array64, s: number, n: number) =>
  sum(7, (k) => a.at(s, k) * b.at(k, n));

export const PRODUCT_CASES: readonly OpCase[] = [...products("f32"), ...products("f16")];
