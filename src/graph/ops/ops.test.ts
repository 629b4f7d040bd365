import { describe, expect, test } from "vitest";
import { FormatError, UnsupportedError } from "../../errors.ts";
import { GraphBuilder } from "../builder.ts";
import { symIntRoot } from "../symint.ts";
import { OP_NAMES } from "./index.ts";
import { ELEMENTWISE_CASES } from "./op-cases-elementwise.test-support.ts";
import { PRODUCT_CASES } from "./op-cases-product.test-support.ts";
import { QUANTIZED_CASES } from "./op-cases-quantized.test-support.ts";
import { REDUCE_CASES } from "./op-cases-reduce.test-support.ts";
import { ROW_CASES } from "./op-cases-row.test-support.ts";
import { SHAPE_CASES } from "./op-cases-shape.test-support.ts";

/**
 * Tested with whole programs and models, where their state is, or, where they take more rows than the
 * cases have, with the pass that makes them.
 */
const TESTED_ELSEWHERE = [
  "et_vk.apply_rotary_emb.default",
  "et_vk.apply_rotary_emb_hf.default",
  "sdpa_with_kv_cache.default",
  "tetrad.apply_rotary_emb_at",
  "tetrad.norm_linear_choice_q4gsw",
  "tetrad.linear_halves_q4gsw",
  "tetrad.qkv_halves_q4gsw",
  "tetrad.rms_norm_halves",
  "tetrad.sample",
  "tetrad.swiglu_halves_q4gsw",
];

test("every operator of the table has a case", () => {
  const used = new Set<string>(TESTED_ELSEWHERE);
  const cases = [
    ...ELEMENTWISE_CASES,
    ...SHAPE_CASES,
    ...REDUCE_CASES,
    ...PRODUCT_CASES,
    ...QUANTIZED_CASES,
    ...ROW_CASES,
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

describe("arguments of one row's operators", () => {
  const g = new GraphBuilder("test");
  const x = g.input("x", "f32", [1, 1, 64]);
  const limbs = g.input("limbs", "u8", [2, 80]);
  const norm = g.input("norm", "f32", [64]);
  const matrix = (name: string, rows: number, dtype: "f16" | "f32" = "f16") => [
    g.input(name, "u8", [rows, 32]),
    g.input(`${name}.scales`, dtype, [rows, 2]),
  ];
  const wide = matrix("wide", 96);
  const square = matrix("square", 64);
  const row = [x, null, null, null, 32];
  const node =
    (op: (typeof OP_NAMES)[number], ...args: Parameters<typeof g.nodes>[2]) =>
    () =>
      g.nodes(op, "out", args);

  test("the row", () => {
    const head = (...args: Parameters<typeof g.nodes>[2]) =>
      node("tetrad.norm_linear_q4gsw", ...args, 32, ...wide);
    expect(head(x, limbs, null, null)).toThrow(/norm_linear.*a row is given twice/);
    expect(head(null, limbs, norm, 1e-5)).toThrow(/limbs have the norm's weight in them/);
    expect(head(null, null, norm, 1e-5)).toThrow(/argument 0 must be a tensor, found nothing/);
    expect(head(null, g.input("bytes", "u8", [2, 64]), null, null)).toThrow(
      /"bytes" is no row of limbs/,
    );
    expect(head(null, x, null, null)).toThrow(/"x" is f32; supported: u8/);
    expect(head(g.input("rows", "f32", [2, 64]), null, null, null)).toThrow(/more than one row/);
    expect(head(x, null, norm, null)).toThrow(/argument 3 must be a number/);
    expect(head(x, null, g.input("short", "f32", [32]), 1e-5)).toThrow(
      /norm has 32 elements, x 64/,
    );
    expect(head(null, g.input("longer", "u8", [4, 80]), null, null)).toThrow(FormatError);
  });

  test("the sampler's state", () => {
    const choice = "tetrad.norm_linear_choice_q4gsw";
    const int = (size: number) => g.input(`${size} integers`, "i32", [size]);
    const state = (seen: number) => [int(16), int(seen), int(1), int(1), int(8)];
    const [logits] = g.nodes(choice, "logits", [...row, ...wide, ...state(3), "greedy", 0]);
    expect([logits?.dtype, logits?.dims]).toEqual(["f32", [1, 1, 96]]);
    expect(node(choice, ...row, ...wide, ...state(2), "greedy", 0)).toThrow(
      /norm_linear_choice.*"2 integers" has no bit for each of 96/,
    );
    expect(node(choice, ...row, ...wide, x)).toThrow(/"x" is f32; supported: i32/);
  });

  test("matrices", () => {
    const swiglu = "tetrad.swiglu_limbs_q4gsw";
    expect(node(swiglu, ...row, ...wide, ...square)).toThrow(/gate has 96 rows, up 64/);
    expect(node(swiglu, ...row, ...wide, ...matrix("other", 96, "f32"))).toThrow(
      /scales of "other.scales" differ in type/,
    );
    const [hidden] = g.nodes(swiglu, "hidden", [...row, ...wide, ...wide]);
    expect([hidden?.dtype, hidden?.dims]).toEqual(["u8", [3, 80]]);
  });

  test("what is added, and the norm that comes next", () => {
    const add = "tetrad.linear_add_limbs_q4gsw";
    expect(node(add, ...row, ...wide, x, null)).toThrow(/linear_add_limbs.*"x" has no rows of 96/);
    expect(node(add, ...row, ...square, null, null)).toThrow(/argument 7 must be a tensor/);
    expect(node(add, ...row, ...square, x, g.input("short", "f32", [32]))).toThrow(
      /the next norm is not of 64/,
    );
    const results = g.nodes(add, "sum", [...row, ...square, x, norm]);
    expect(results.map(({ dtype, dims }) => [dtype, dims])).toEqual([
      ["f32", [1, 1, 64]],
      ["u8", [2, 80]],
    ]);
  });

  const cache = (dtype: "f16" | "f32", ...dims: [number, number, number]) =>
    g.input("cache", dtype, [1, ...dims]);
  const caches = [cache("f16", 128, 2, 16), cache("f16", 128, 2, 16)];
  const table = g.input("table", "f32", [128, 8]);

  test("q, k and v on their way into the caches", () => {
    const rotary = "tetrad.qkv_rotary_q4gsw";
    const key = matrix("key", 32);
    const turn = [table, table, 0, "interleaved"];
    const args = [...row, ...square, ...key, ...key, ...turn];
    expect(g.node(rotary, "q", ...args, ...caches).dims).toEqual([1, 1, 4, 16]);
    expect(node(rotary, ...args, cache("f16", 128, 2, 16), cache("f32", 128, 2, 16))).toThrow(
      /qkv_rotary.*k_cache and v_cache differ/,
    );
    expect(node(rotary, ...args, cache("f16", 128, 2, 16), cache("f16", 64, 2, 16))).toThrow(
      /k_cache and v_cache differ/,
    );
    expect(node(rotary, ...args, cache("f16", 128, 1, 16), cache("f16", 128, 1, 16))).toThrow(
      /64, 32 and 32 rows for caches of 1 heads of 16/,
    );
    expect(node(rotary, ...row, ...square, ...key, ...square, ...turn, ...caches)).toThrow(
      /64, 32 and 64 rows/,
    );
  });

  test("attention's splits and what joins them", () => {
    const partials = "tetrad.sdpa_partials";
    const q = g.input("q", "f32", [1, 1, 4, 16]);
    const k = g.input("k", "f32", [1, 1, 2, 16]);
    expect(node(partials, q, k, null, ...caches, 0, 0.25)).toThrow(/only one of k and v is given/);
    expect(node(partials, g.input("q3", "f32", [1, 1, 3, 16]), k, k, ...caches, 0, 0.25)).toThrow(
      /3 query heads of 16 for caches of 2 of 16/,
    );
    expect(node(partials, g.input("q8", "f32", [1, 1, 4, 8]), k, k, ...caches, 0, 0.25)).toThrow(
      /4 query heads of 8/,
    );
    // 128 positions are two splits.
    const [out, statistics] = g.nodes(partials, "partials", [q, null, null, ...caches, 0, 0.25]);
    expect([out?.dims, statistics?.dims]).toEqual([[4 * 2 * 16], [2 * 4 * 2]]);
    const project = (...rest: Parameters<typeof g.nodes>[2]) =>
      node("tetrad.attention_linear_add_q4gsw", out!, statistics!, 0, ...rest);
    expect(project(4, caches[0]!, 32, ...square, x, norm)).not.toThrow();
    expect(project(2, caches[0]!, 32, ...square, x, norm)).toThrow(FormatError);
    expect(project(4, caches[0]!, 32, ...wide, x, norm)).toThrow(/"x" has no rows of 96/);
  });
});
