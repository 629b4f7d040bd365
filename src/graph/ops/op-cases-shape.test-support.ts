/** Operators that move elements, read through indices or make new tensors. */
import { randomValues } from "../../kernels/testing/data.ts";
import type { IntLike } from "../symint.ts";
import { symIntExpression } from "../symint.ts";
import { generate } from "./op-case.test-support.ts";
import type { OpCase } from "./op-case.test-support.ts";

const add = (a: IntLike, b: IntLike) => symIntExpression("add", a, b);

export const SHAPE_CASES: readonly OpCase[] = [
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
      generate([S, 3], (s, i) => x!.at(s, 1 + 3 * i)),
      generate([S, 4], (s, i) => x!.at(s, 6 + i)),
      generate([1, 10], (_, i) => x!.at(S - 1, i)),
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
      generate([2, 4], (a, i) => x!.at(a, S - 1, i)),
      generate([S, 4], (s, i) => x!.at(1, s, i)),
    ],
  },
  ...(["aten.permute_copy.default", "aten.permute.default"] as const).map((op): OpCase => ({
    op,
    inputs: [["f32", "S", 3, 2]],
    build: (g, [x]) => [g.node(op, "out", x!, [2, 0, 1])],
    reference: ([x], S) => [generate([2, S, 3], (k, s, i) => x!.at(s, i, k))],
  })),
  {
    op: "aten.expand_copy.default",
    inputs: [["f32", "S", 1, 3]],
    build: (g, [x]) => [g.node("aten.expand_copy.default", "out", x!, [2, -1, 4, 3])],
    reference: ([x], S) => [generate([2, S, 4, 3], (_, s, __, i) => x!.at(s, 0, i))],
  },
  {
    op: "aten.repeat.default",
    inputs: [["f32", "S", 3]],
    build: (g, [x]) => [g.node("aten.repeat.default", "out", x!, [2, 1, 2])],
    reference: ([x], S) => [generate([2, S, 6], (_, s, i) => x!.at(s, i % 3))],
  },
  {
    op: "aten.flip.default",
    inputs: [["f32", "S", 3]],
    build: (g, [x]) => [g.node("aten.flip.default", "out", x!, [0, 1])],
    reference: ([x], S) => [generate([S, 3], (s, i) => x!.at(S - 1 - s, 2 - i))],
  },
  {
    op: "aten.split_with_sizes_copy.default",
    inputs: [["f32", "S", 7]],
    build: (g, [x]) => g.nodes("aten.split_with_sizes_copy.default", "out", [x!, [2, 4, 1], 1]),
    reference: ([x], S) => [
      generate([S, 2], (s, i) => x!.at(s, i)),
      generate([S, 4], (s, i) => x!.at(s, 2 + i)),
      generate([S, 1], (s) => x!.at(s, 6)),
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
        if (s < S) return a!.at(s, i);
        return s < S + 3 ? b!.at(s - S, i) : a!.at(s - S - 3, i);
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
    reference: ([a, b], S) => [generate([S, 5], (s, i) => (i < 3 ? a!.at(s, i) : b!.at(s, i - 3)))],
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
        generate([S, 3], (s, k) => x!.at(row(s), k)),
        generate([3, S], (k, s) => x!.at(row(s), k)),
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
    reference: ([x, i], S) => [generate([S, 4], (s, k) => x!.at(s, i!.at(k)))],
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
    reference: ([x, i], S) => [generate([S, 2], (s, k) => x!.at(s, i!.at(s, k)))],
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
    reference: ([table, i], S) => [generate([1, S, 3], (_, s, k) => table!.at(i!.at(0, s), k))],
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
  {
    op: "update_cache.default",
    inputs: [["f32", 1, "S", 2, 4]],
    build: (g, [x], S) => {
      const cache = g.state("cache", "f32", [1, 12, 2, 4]);
      g.nodes("update_cache.default", "", [x!, cache, 3, null]);
      return [g.node("aten.slice_copy.Tensor", "rows", cache, 1, 3, add(S, 3), 1)];
    },
    reference: ([x]) => [x!.data],
  },
  ...(["f32", "f16", "i32", "bool"] as const).map((dtype): OpCase => {
    const value = dtype === "f16" || dtype === "f32" ? -1.5 : 1;
    const op = "aten.constant_pad_nd.default";
    return {
      op,
      variant: dtype,
      inputs: [[dtype, 2, "S", 5]],
      build: (g, [x]) => [
        g.node(op, "framed", x!, [1, 2, 3, 0], value),
        g.node(op, "moved", x!, [-2, 1, 0, 1, 1, -1], value),
        g.node(op, "zeros", x!, [0, 4]),
        g.node(op, "whole", x!, [0, 0], value),
      ],
      reference: ([x], S) => {
        const inside = (i: number, size: number) => i >= 0 && i < size;
        const framed = (s: number, i: number) => inside(s - 3, S) && inside(i - 1, 5);
        return [
          generate([2, S + 3, 8], (a, s, i) => (framed(s, i) ? x!.at(a, s - 3, i - 1) : value)),
          generate([2, S + 1, 4], (a, s, i) =>
            inside(a - 1, 1) && inside(s, S) && inside(i, 3) ? x!.at(a - 1, s, i + 2) : value,
          ),
          generate([2, S, 9], (a, s, i) => (inside(i, 5) ? x!.at(a, s, i) : 0)),
          x!.data,
        ];
      },
    };
  }),
  {
    op: "et_vk.apply_rotary_emb_interleaved.default",
    inputs: [
      ["f32", 2, "S", 6],
      ["f32", "S", 6],
    ],
    build: (g, [x, freqs]) => [
      g.node("et_vk.apply_rotary_emb_interleaved.default", "out", x!, freqs!),
    ],
    reference: ([x, freqs], S) => [
      generate([2, S, 6], (b, s, i) => {
        const pair = i - (i % 2);
        const [cos, sin] = [freqs!.at(s, pair), freqs!.at(s, pair + 1)];
        const [even, odd] = [x!.at(b, s, pair), x!.at(b, s, pair + 1)];
        return i % 2 === 0 ? even * cos - odd * sin : even * sin + odd * cos;
      }),
    ],
    absolute: 1e-5,
  },
];
