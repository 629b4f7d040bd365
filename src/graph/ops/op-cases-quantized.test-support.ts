/** Operators on 4-bit and 8-bit values. */
import type { RowSource } from "../../checkpoint.ts";
import { randomValues } from "../../kernels/testing/data.ts";
import { dequantizeQ4, quantizeQ4 } from "../../quant/q4gsw.ts";
import type { GraphBuilder } from "../builder.ts";
import { Array64, generate, roundHalfEven, sum } from "./op-case.test-support.ts";
import type { OpCase } from "./op-case.test-support.ts";

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

/** A row through rms_norm with epsilon 1e-5. */
function normalized(x: Array64, weight: Array64): Array64 {
  const square = sum(K, (k) => x.at(0, k) ** 2) / K;
  const row = generate([1, K], (_, k) => (x.at(0, k) * weight.at(k)) / Math.sqrt(square + 1e-5));
  return new Array64([1, K], row);
}

/** A row times the matrix in groups of 32. */
const project = (x: Array64): Float64Array =>
  generate([1, N], (_, n) => sum(K, (k) => x.at(0, k) * dense(32).at(n, k)));

function parameters(x: Array64, s: number) {
  const row = Array.from({ length: K }, (_, k) => x.at(s, k));
  const [least, most] = [Math.min(0, ...row), Math.max(0, ...row)];
  const scale = Math.fround((most - least) / 255);
  const zero = Math.max(-128, Math.min(127, roundHalfEven(-128 - least / scale)));
  return { scale, zero };
}

export const QUANTIZED_CASES: readonly OpCase[] = [
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
      generate([S, N], (s, n) => sum(K, (k) => x!.at(s, k) * dense(32).at(n, k)) + b!.at(n)),
    ],
    absolute: 1e-4,
  },
  {
    op: "tetrad.linear_q4gsw_add",
    inputs: [
      ["f32", 1, "S", K],
      ["f32", 1, "S", N],
    ],
    build: (g, [x, residual]) => {
      const { weight, scales } = q4(g, 32);
      return [g.node("tetrad.linear_q4gsw_add", "out", x!, weight, scales, 32, null, residual!)];
    },
    reference: ([x, residual], S) => [
      generate(
        [1, S, N],
        (_, s, n) => residual!.at(0, s, n) + sum(K, (k) => x!.at(0, s, k) * dense(32).at(n, k)),
      ),
    ],
    absolute: 1e-4,
  },
  {
    op: "tetrad.norm_linear_q4gsw",
    inputs: [
      ["f32", 1, K],
      ["f32", K],
    ],
    build: (g, [x, norm]) => {
      const { weight, scales } = q4(g, 32);
      return [g.node("tetrad.norm_linear_q4gsw", "out", x!, null, norm!, 1e-5, 32, weight, scales)];
    },
    reference: ([x, norm]) => [project(normalized(x!, norm!))],
    absolute: 1e-4,
  },
  {
    op: "tetrad.swiglu_q4gsw",
    inputs: [["f32", 1, K]],
    build: (g, [x]) => {
      const { weight, scales } = q4(g, 32);
      const planes = [weight, scales, weight, scales];
      return [g.node("tetrad.swiglu_q4gsw", "out", x!, null, null, null, 32, ...planes)];
    },
    reference: ([x]) => [project(x!).map((value) => value ** 2 / (1 + Math.exp(-value)))],
    absolute: 1e-4,
  },
  {
    op: "tetrad.qkv_q4gsw",
    inputs: [
      ["f32", 1, K],
      ["f32", K],
    ],
    build: (g, [x, norm]) => {
      const { weight, scales } = q4(g, 32);
      const planes = [weight, scales, weight, scales, weight, scales];
      return g.nodes("tetrad.qkv_q4gsw", "out", [x!, null, norm!, 1e-5, 32, ...planes]);
    },
    reference: ([x, norm]) => {
      const row = project(normalized(x!, norm!));
      return [row, row, row];
    },
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
      generate([S, N], (s, n) => sum(K, (k) => x!.at(s, k) * dense(K).at(n, k))),
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
        const { scale, zero } = parameters(x!, s);
        return sum(K, (k) => {
          const q = Math.max(-128, Math.min(127, roundHalfEven(x!.at(s, k) / scale) + zero));
          return scale * (q - zero) * dense(32).at(n, k);
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
      generate([S], (s) => parameters(x!, s).scale),
      generate([S], (s) => parameters(x!, s).zero),
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
    reference: ([i], S) => [generate([1, S, K], (_, s, k) => dense(32).at(i!.at(0, s), k))],
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
];
