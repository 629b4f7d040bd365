import { expect, test } from "vitest";
import { formatProgramSummary } from "./format-summary.ts";
import { inspectProgram } from "./inspect.ts";
import { i64, string, tables, u8 } from "./flatbuffer-writer.test-support.ts";
import { readMetadata } from "./metadata.ts";
import {
  delegateEntry,
  fixture,
  inlineBytes,
  instruction,
  memorySource,
  plan,
  program,
  value,
} from "./pte-writer.test-support.ts";
import { readProgram } from "./read-program.ts";

test("a Llama says what it is", async () => {
  const summary = await inspectProgram(
    await readProgram(fixture("models/stories-14m/pte/stories-14m-4w.pte")),
  );
  expect(Object.fromEntries(summary.metadata)).toEqual({
    get_max_seq_len: [512],
    get_max_context_len: [512],
    get_n_layers: [8],
    get_vocab_size: [4096],
    use_kv_cache: [true],
    use_sdpa_with_kv_cache: [true],
    enable_dynamic_shape: [true],
    get_bos_id: [4089],
    get_eos_ids: [4088],
  });
  const graph = summary.methods[0]?.delegates[0]?.graph;
  expect(graph?.operators.slice(0, 2)).toEqual([
    { name: "aten.view_copy.default", count: 64 },
    { name: "et_vk.linear_q4gsw.default", count: 57 },
  ]);
  expect(graph?.operators).toContainEqual({ name: "sdpa_with_kv_cache.default", count: 8 });
  const sizes = graph?.constants.map(({ byteLength }) => byteLength) ?? [];
  expect(sizes).toEqual([...sizes].sort((a, b) => b - a));

  const text = formatProgramSummary(summary);
  expect(text).toContain("  get_eos_ids: 4088\n");
  expect(text).toContain("  input 0: i64 [1, ≤511]\n");
  expect(text).toContain("  output 0: f32 [1, 4096]\n");
  expect(text).toContain("    57 × et_vk.linear_q4gsw.default\n");
  expect(text).toContain("require_dynamic_shapes=1, force_fp16=0\n");
});

test("lists are several values", async () => {
  const program = await readProgram(fixture("tests/fixtures/pte/llama_tiny_4w_dyn.pte"));
  expect(readMetadata(program).get("get_eos_ids")).toEqual([2, 3]);
});

test("operators that no delegate took are listed", async () => {
  const path = "tests/fixtures/pte/sdpa_gqa10_2_d20_c29_ext_scale.pte";
  const summary = await inspectProgram(await readProgram(fixture(path)));
  expect(summary.methods[0]?.kernels).toEqual([{ name: "aten::copy_", count: 2 }]);
  expect(formatProgramSummary(summary)).toContain("  kernel 2 × aten::copy_\n");
});

test("delegates of other backends are listed without their graph", async () => {
  const data = program([plan({ delegates: [delegateEntry(0, 0, "OtherBackend")] })], {
    3: tables([inlineBytes(new Uint8Array(5))]),
  });
  const summary = await inspectProgram(await readProgram(memorySource(data)));
  expect(summary.methods[0]?.delegates[0]).toMatchObject({
    id: "OtherBackend",
    graph: undefined,
    byteLength: 5,
  });
});

test("metadata are the outputs of methods that run nothing", async () => {
  const values = [
    value(2, { 0: i64(2n ** 62n) }),
    value(3, { 0: u8(1) }),
    value(6, { 0: string("x") }),
  ];
  const plans = [
    plan({ name: "all", values, outputs: [0, 1, 2, 1] }),
    plan({ name: "none", values }),
    plan({ name: "runs", values, outputs: [1], instructions: [instruction(5)] }),
    plan({ name: "null", values: [value(1)], outputs: [0] }),
  ];
  const metadata = readMetadata(await readProgram(memorySource(program(plans))));
  expect([...metadata]).toEqual([["all", [2n ** 62n, true, "x", true]]]);
});
