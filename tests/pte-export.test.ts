/** Programs written by `tools/export` hold what the README there says they hold. */
import { describe, expect, test } from "vitest";
import { openProgramDecoder } from "../src/formats/pte/decoder.ts";
import { inspectProgram } from "../src/formats/pte/inspect.ts";
import type { ProgramSummary } from "../src/formats/pte/inspect.ts";
import { readDelegate } from "../src/formats/pte/read-delegate.ts";
import { readProgram } from "../src/formats/pte/read-program.ts";
import {
  attentionFixtures,
  fixtureNames,
  fixtureSource,
  linearFixtures,
  modelFixtures,
} from "./support/pte-export.ts";

async function inspect(name: string): Promise<ProgramSummary> {
  return inspectProgram(await readProgram(fixtureSource(name)));
}

/** Operators of the one delegate of `forward`, by name. */
function histogram(summary: ProgramSummary): Record<string, number> {
  expect(summary.methods.map(({ name }) => name)).toEqual(["forward"]);
  expect(summary.methods[0]?.delegates.length).toBe(1);
  const operators = summary.methods[0]?.delegates[0]?.graph?.operators ?? [];
  return Object.fromEntries(operators.map(({ name, count }) => [name, count]));
}

test.each(fixtureNames)("%s: one delegate, whose constants are all there", async (name) => {
  const program = await readProgram(fixtureSource(name));
  const method = program.methods.get("forward");
  const kinds = method?.chains.flatMap((chain) => chain.instructions.map(({ kind }) => kind));
  expect(kinds).toEqual(["delegate"]);
  const delegate = method?.delegates[0];
  expect(delegate?.id).toBe("VulkanBackend");
  const graph = await readDelegate(delegate!.blob, program.namedData);
  expect(graph.constants.length).toBeGreaterThan(0);
  for (const { range } of graph.constants) expect(range.byteLength).toBeGreaterThan(0);
});

test.each(linearFixtures)("%s: a linear", async (name, { M, K, N, bias }) => {
  const summary = await inspect(name);
  expect(histogram(summary)).toEqual({ "et_vk.linear_q4gsw.default": 1 });
  expect(summary.methods[0]?.inputs).toMatchObject([{ type: "f32", sizes: [M, K] }]);
  expect(summary.methods[0]?.outputs).toMatchObject([{ type: "f32", sizes: [M, N] }]);
  const constants = summary.methods[0]?.delegates[0]?.graph?.constants ?? [];
  expect(constants.length).toBe(bias ? 3 : 2);
  expect(constants).toContainEqual(expect.objectContaining({ type: "u8", dims: [N, K / 2] }));
});

test.each(attentionFixtures)("%s: attention", async (name, { Hkv, D, Cmax, dynamic_S }) => {
  const summary = await inspect(name);
  expect(histogram(summary)).toEqual({
    "sdpa_with_kv_cache.default": 1,
    "et_vk.select_as_symint.default": 1,
    ...(dynamic_S ? { "sym_size.int": 1 } : {}),
  });
  const S = dynamic_S ? Cmax : 1;
  expect(summary.methods[0]?.inputs[1]).toMatchObject({ sizes: [1, S, Hkv, D] });
  const caches = summary.methods[0]?.delegates[0]?.graph?.constants.map(({ dims }) => dims);
  expect(caches).toEqual([
    [1, Cmax, Hkv, D],
    [1, Cmax, Hkv, D],
  ]);
});

describe("language models", () => {
  const LAYERS = 2;

  const ofEveryModel = {
    "et_vk.embedding_q4gsw.default": 1,
    "et_vk.linear_q4gsw.default": 7 * LAYERS + 1,
    "aten.view_copy.default": 8 * LAYERS,
    "sdpa_with_kv_cache.default": LAYERS,
    "aten.add.Tensor": 2 * LAYERS,
    "aten.mul.Tensor": 2 * LAYERS,
    "aten.sigmoid.default": LAYERS,
    "aten.select_copy.int": 1,
    "et_vk.prepack.default": 2,
    "et_vk.select_as_symint.default": 2,
    "sym_size.int": 1,
  };

  /** Interleaved rotation gets the rows of its table; the other gets the table and a position. */
  const rotation = {
    interleaved: {
      "et_vk.apply_rotary_emb.default": LAYERS,
      "aten.slice_copy.Tensor": 2,
      add: 1,
    },
    half: { "et_vk.apply_rotary_emb_hf.default": LAYERS },
  };

  test("of both architectures, in both rotations", () => {
    expect(modelFixtures.map(([name, { build }]) => [name, build.rope])).toEqual([
      ["llama_tiny_4w", "interleaved"],
      ["qwen3_tiny_4w", "half"],
      ["qwen3_tiny_4w_interleaved", "interleaved"],
    ]);
  });

  test.each(modelFixtures)("%s", async (name, { build, vocab_out }) => {
    const isQwen3 = name.startsWith("qwen3");
    const summary = await inspect(name);
    expect(histogram(summary)).toEqual({
      ...ofEveryModel,
      ...rotation[build.rope],
      "et_vk.rms_norm.default": (isQwen3 ? 4 : 2) * LAYERS + 1,
    });
    expect(summary.methods[0]?.inputs).toMatchObject([
      { type: "i64", sizes: [1, build.context], dynamism: "bounded" },
      { type: "i64", sizes: [1] },
    ]);
    expect(summary.methods[0]?.outputs).toMatchObject([{ type: "f32", sizes: [1, vocab_out] }]);
    expect(Object.fromEntries(summary.metadata)).toEqual({
      get_max_seq_len: [build.context],
      get_max_context_len: [build.context],
      get_n_layers: [LAYERS],
      get_vocab_size: [vocab_out],
      use_kv_cache: [true],
      use_sdpa_with_kv_cache: [true],
      enable_dynamic_shape: [true],
      get_bos_id: [1],
      get_eos_ids: isQwen3 ? [2] : [2, 3],
    });
  });

  test.each(modelFixtures)("%s opens as a decoder", async (name, { build, vocab_out }) => {
    const decoder = await openProgramDecoder(await readProgram(fixtureSource(name)));
    expect(decoder).toMatchObject({
      contextLength: build.context,
      maxSequenceLength: build.context,
      vocabularySize: vocab_out,
      bosId: 1,
    });
  });

  test("a tied matrix is stored once", async () => {
    const { namedData, methods } = await readProgram(fixtureSource("qwen3_tiny_4w"));
    const graph = await readDelegate(methods.get("forward")!.delegates[0]!.blob, namedData);
    const ranges = graph.constants.map(({ range }) => range);
    const matrices = ranges.filter(({ byteLength }) => byteLength === 128 * 32);
    const offsets = new Set(matrices.map(({ offset }) => offset));
    expect(offsets.size).toBe(matrices.length - 1);
  });
});
