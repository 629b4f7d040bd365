import { expect, test } from "vitest";
import { FormatError, UnsupportedError } from "../../errors.ts";
import { GraphBuilder } from "../builder.ts";
import { symIntRoot } from "../symint.ts";
import { OP_NAMES } from "./index.ts";
import { ELEMENTWISE_CASES } from "./op-cases-elementwise.test-support.ts";
import { PRODUCT_CASES } from "./op-cases-product.test-support.ts";
import { QUANTIZED_CASES } from "./op-cases-quantized.test-support.ts";
import { REDUCE_CASES } from "./op-cases-reduce.test-support.ts";
import { SHAPE_CASES } from "./op-cases-shape.test-support.ts";

/** Tested with whole programs and models, where their state is. */
const TESTED_ELSEWHERE = [
  "et_vk.apply_rotary_emb.default",
  "et_vk.apply_rotary_emb_hf.default",
  "sdpa_with_kv_cache.default",
  "tetrad.apply_rotary_emb_at",
  "tetrad.sample",
];

test("every operator of the table has a case", () => {
  const used = new Set<string>(TESTED_ELSEWHERE);
  const cases = [
    ...ELEMENTWISE_CASES,
    ...SHAPE_CASES,
    ...REDUCE_CASES,
    ...PRODUCT_CASES,
    ...QUANTIZED_CASES,
  ];
  for (const { inputs, build } of cases) {
    const S = symIntRoot("S", 1, 8);
    const builder = new GraphBuilder("test");
    const tensors = inputs.map(([dtype, ...dims], index) =>
      builder.input(
        `input${index}`,
        dtype,
        dims.map((dim) => (dim === "S" ? S : dim)),
      ),
    );
    build(builder, tensors, S);
    for (const { op } of builder.build().nodes) used.add(op);
  }
  expect(OP_NAMES.filter((name) => !used.has(name))).toEqual([]);
});

test("arguments that do not fit are refused with the operator's name", () => {
  const g = new GraphBuilder("test");
  const x = g.input("x", "f32", [4, 6]);
  const integers = g.input("integers", "i32", [4]);
  const flag = g.input("flag", "bool", [4, 6]);
  const node =
    (op: (typeof OP_NAMES)[number], ...args: Parameters<typeof g.nodes>[2]) =>
    () =>
      g.nodes(op, "out", args);
  expect(node("aten.add.Tensor", x, integers, 1)).toThrow(UnsupportedError);
  expect(node("aten.logical_not.default", x)).toThrow(/logical_not.*f32; supported: bool/);
  expect(node("aten.where.self", x, x, x)).toThrow(/supported: bool/);
  expect(node("aten.eq.Tensor", flag, x)).toThrow(UnsupportedError);
  expect(node("aten.mm.default", x, x)).toThrow(FormatError);
  expect(node("aten.permute_copy.default", x, [0, 0])).toThrow(FormatError);
  expect(node("aten.cat.default", [x, integers], 0)).toThrow(FormatError);
  expect(node("aten.split_with_sizes_copy.default", x, [2, 3], 1)).toThrow(/sizes \[2, 3\] of 6/);
  expect(node("aten.sum.dim_IntList", x, [2], false)).toThrow(FormatError);
  expect(node("aten.mean.dim", g.input("y", "f32", [2, 3, 4]), [0, 2], false)).toThrow(
    /neighbouring/,
  );
  expect(node("aten.mean.dim", integers, [0], false)).toThrow(/i32; supported: f32, f16/);
  expect(node("aten.amax.default", flag, [0], false)).toThrow(/bool; supported: f32, f16, i32/);
  expect(node("aten._softmax.default", integers, 0, false)).toThrow(UnsupportedError);
  const half = g.input("half", "f16", [6, 4]);
  expect(node("aten.mm.default", x, half)).toThrow(/"half" is f16; supported: f32/);
  expect(node("aten.linear.default", half, g.input("w", "f32", [2, 4]), null)).toThrow(
    /"w" is f32; supported: f16/,
  );
  expect(node("aten.index.Tensor", x, [integers, integers])).toThrow(/2 index tensors/);
  expect(node("aten.div.Tensor_mode", x, x, "trunc")).toThrow(/"trunc"; supported: floor/);
  expect(node("aten.native_layer_norm.default", x, [4], null, null, 1e-5)).toThrow(FormatError);
  expect(node("aten.expand_copy.default", x, [4, 7])).toThrow(FormatError);
  const pad = "aten.constant_pad_nd.default";
  expect(node(pad, x, [1])).toThrow(/1 pads for a tensor of rank 2/);
  expect(node(pad, x, [0, 0, 0, 0, 1, 1])).toThrow(/6 pads/);
  expect(node(pad, x, [-3, -3])).toThrow(/pads -3 and -3 leave nothing of axis 1/);
  expect(node(pad, x, [-7, 9])).toThrow(FormatError);
  expect(node(pad, x, [symIntRoot("p", 0, 3), 0])).toThrow(UnsupportedError);
  const growing = g.input("growing", "f32", [symIntRoot("S", 1, 8), 4]);
  expect(node(pad, growing, [0, 0, -1, 0])).toThrow(/cut off a size that changes/);
  const rotate = "et_vk.apply_rotary_emb_interleaved.default";
  expect(node(rotate, g.input("q", "f32", [1, 4, 6]), g.input("f", "f32", [4, 3]))).toThrow(
    /must have the last two/,
  );
});
