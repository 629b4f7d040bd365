import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { FormatError, UnsupportedError } from "../../errors.ts";
import { maxByteLength } from "../../graph/ir.ts";
import { maxOf } from "../../graph/symint.ts";
import { memorySource } from "../../memory-source.ts";
import { ConstantPool } from "./constant-pool.ts";
import { openProgramDecoder } from "./decoder.ts";
import { inputShapes } from "./input-shapes.ts";
import type { Program } from "./program.ts";
import { readDelegate } from "./read-delegate.ts";
import { readProgram } from "./read-program.ts";
import { RowSourceCache } from "./row-source-cache.ts";
import { delegateGraph, unsupportedOperators } from "./to-graph.ts";
import type { DelegateGraph } from "./to-graph.ts";
import type { OperatorCall, VkGraph, VkValue } from "./vk-graph.ts";

const FIXTURES = new URL("../../../tests/fixtures/pte/", import.meta.url);

function open(name: string): Promise<Program> {
  const bytes = new Uint8Array(readFileSync(new URL(`${name}.pte`, FIXTURES)));
  return readProgram(memorySource(bytes, name));
}

async function graphOf(name: string): Promise<VkGraph> {
  const program = await open(name);
  return readDelegate(program.methods.get("forward")!.delegates[0]!.blob, program.namedData);
}

function build(vk: VkGraph, bounded: readonly boolean[] = []): DelegateGraph {
  return delegateGraph(vk, {
    where: "test",
    name: "test",
    pool: new ConstantPool(vk, "test"),
    shapes: inputShapes(
      vk,
      vk.inputIds.map((_, index) => bounded[index] === true),
    ),
  });
}

/** A graph of one input f32 [≤ 8, 4], whose operators name values by index. */
function tiny(
  values: readonly VkValue[],
  chain: readonly Omit<OperatorCall, "nodeId">[],
  outputIds: readonly number[],
): VkGraph {
  return {
    chain: chain.map((call, nodeId) => ({ ...call, nodeId })),
    values,
    inputIds: [0],
    outputIds,
    constants: [],
  };
}

const tensor = (type: "f32" | "i32" | "f16", ...dims: readonly number[]): VkValue => ({
  kind: "tensor",
  type,
  dims,
  constantId: undefined,
  memoryObjectId: undefined,
  stagingType: undefined,
});

describe("a Llama of dynamic length", () => {
  test("becomes operators over symbols, without those that only compute them", async () => {
    const vk = await graphOf("llama_tiny_4w_dyn");
    const { graph, inputs } = build(vk, [true, false]);
    expect(graph.nodes.length).toBe(vk.chain.length - 6);
    const ops = new Set(graph.nodes.map(({ op }) => op));
    for (const gone of [
      "sym_size.int",
      "add",
      "et_vk.prepack.default",
      "et_vk.select_as_symint.default",
    ]) {
      expect(ops.has(gone)).toBe(false);
    }
    const [tokens, inputPos] = inputs;
    if (tokens?.kind !== "tensor" || inputPos?.kind !== "tensor") throw new Error("tensors");
    expect(tokens.tensor.dims[0]).toBe(1);
    expect(tokens.tensor.dims[1]).toMatchObject({ kind: "root", min: 1, max: 31 });
    expect(inputPos.elements.map(({ index, root }) => [index, root.min, root.max])).toEqual([
      [0, 0, 31],
    ]);
    // The caches are two a layer, though the file has their zeros once.
    const states = graph.nodes
      .filter(({ op }) => op === "sdpa_with_kv_cache.default")
      .flatMap(({ args }) => [args[3], args[4]]);
    expect(new Set(states).size).toBe(4);
    // No result is larger than the file says.
    for (const { results } of graph.nodes) {
      for (const result of results) {
        expect(maxByteLength(result)).toBeLessThanOrEqual(4 * 31 * 128);
      }
    }
  });

  test("has fixed sizes where its inputs are not bounded", async () => {
    const { graph } = build(await graphOf("llama_tiny_4w_static"));
    for (const { results } of graph.nodes) {
      for (const { dims } of results)
        expect(dims.every((dim) => typeof dim === "number")).toBe(true);
    }
  });
});

describe("input shapes", () => {
  const values = [
    tensor("f32", 1, 31, 8),
    { kind: "int", value: 1n } as const,
    { kind: "symInt", value: 0 } as const,
    tensor("f32", 1, 31, 2),
    tensor("f32", 31, 8),
  ];
  const vk: VkGraph = {
    ...tiny(values, [{ name: "sym_size.int", args: [0, 1, 2] }], []),
    inputIds: [0, 3, 4],
  };
  const names = (bounded: readonly boolean[], actual?: readonly (readonly number[])[]) =>
    inputShapes(vk, bounded, actual).map((dims) =>
      dims.map((dim) => (typeof dim === "number" ? dim : dim.symbol)),
    );

  test("measured dimensions vary; others of the same bound with them", () => {
    const S = "size1_of_input0";
    expect(names([true, true, false])).toEqual([
      [1, S, 8],
      [1, S, 2],
      [31, 8],
    ]);
    expect(names([false, false, false])).toEqual([
      [1, 31, 8],
      [1, 31, 2],
      [31, 8],
    ]);
  });

  test("what nothing measures has the sizes of the call", () => {
    const alone = { ...vk, chain: [] };
    const actual = [
      [1, 5, 8],
      [1, 5, 2],
      [7, 8],
    ];
    expect(inputShapes(alone, [true, true, false], actual)).toEqual([
      [1, 5, 8],
      [1, 5, 2],
      [31, 8],
    ]);
  });
});

describe("refused", () => {
  test("all operators that are missing, in one message", () => {
    const vk = tiny(
      [tensor("f32", 8, 4), tensor("f32", 8, 4)],
      [
        { name: "aten.fancy.default", args: [0, 1] },
        { name: "aten.relu.default", args: [0, 1] },
        { name: "aten.odd.default", args: [1, 1] },
        { name: "aten.fancy.default", args: [1, 1] },
      ],
      [1],
    );
    expect(unsupportedOperators(vk)).toEqual(["aten.fancy.default", "aten.odd.default"]);
    expect(() => build(vk)).toThrow(UnsupportedError);
    expect(() => build(vk)).toThrow(/aten\.fancy\.default, aten\.odd\.default/);
  });

  test.each<[string, VkGraph, RegExp]>([
    [
      "a result of other dims than inferred",
      tiny(
        [tensor("f32", 8, 4), tensor("f32", 8, 5)],
        [{ name: "aten.relu.default", args: [0, 1] }],
        [1],
      ),
      /operator 0: a result is \[8, 4\], in the file \[8, 5\]/,
    ],
    [
      "a result of another type",
      tiny(
        [tensor("f32", 8), tensor("i32", 8)],
        [{ name: "aten.relu.default", args: [0, 1] }],
        [1],
      ),
      /is i32 in the file, computed as f32/,
    ],
    [
      "a value before it is computed",
      tiny(
        [tensor("f32", 8), tensor("f32", 8), tensor("f32", 8)],
        [{ name: "aten.relu.default", args: [2, 1] }],
        [1],
      ),
      /value 2 is used before it is computed/,
    ],
    [
      "an element past the end of an input",
      tiny(
        [
          tensor("i32", 2),
          { kind: "int", value: 0n },
          { kind: "int", value: 2n },
          { kind: "symInt", value: 0 },
        ],
        [{ name: "et_vk.select_as_symint.default", args: [0, 1, 2, 3] }],
        [3],
      ),
      /element 2 along axis 0/,
    ],
  ])("%s", (_, vk, message) => {
    expect(() => build(vk)).toThrow(FormatError);
    expect(() => build(vk)).toThrow(message);
  });
});

test("f16 tensors are computed in f32, their scales stay f16", async () => {
  const { graph } = build(await graphOf("llama_tiny_4w_fp16_dyn"), [true, false]);
  for (const { op, args, results } of graph.nodes) {
    for (const result of results) expect(result.dtype).not.toBe("f16");
    if (op === "et_vk.linear_q4gsw.default") expect(args[2]).toMatchObject({ dtype: "f16" });
  }
});

test("one constant of two delegates is one row source", async () => {
  const vk = await graphOf("q4_bias_5x64x40_g32");
  const sources = new RowSourceCache();
  const weights = [0, 1].map(
    () => new ConstantPool(vk, "test", sources).q4(1, 2, true).weight.storage,
  );
  const [a, b] = weights;
  if (a?.kind !== "constant" || b?.kind !== "constant") throw new Error("constants");
  expect(a.data).toBe(b.data);
});

describe("a program as a decoder", () => {
  test("says what its metadata says", async () => {
    const decoder = await openProgramDecoder(await open("llama_tiny_4w_dyn"));
    expect(decoder).toMatchObject({
      contextLength: 32,
      maxSequenceLength: 31,
      vocabularySize: 128,
      endIds: [2, 3],
      bosId: 1,
      // Two layers with two norms, embedding and output of 128 · 64, a norm of 64.
      parameters: 2 * (2 * 64 * 64 + 2 * 32 * 64 + 3 * 128 * 64 + 2 * 64) + 2 * 128 * 64 + 64,
    });
  });

  test("with shorter caches, shorter chunks, and caches in f16", async () => {
    const program = await open("llama_tiny_4w_dyn");
    const opened = await openProgramDecoder(program);
    const decoder = opened.build({ contextLength: 20, maxSequenceLength: 8, cacheType: "f16" });
    expect(decoder).toMatchObject({ contextLength: 20, vocabularySize: 128 });
    expect([decoder.sequenceLength.max, decoder.position.max]).toEqual([8, 19]);
    const attention = decoder.graph.nodes.find(({ op }) => op === "sdpa_with_kv_cache.default");
    expect(attention?.args[3]).toMatchObject({ dtype: "f16", dims: [1, 20, 2, 16] });
    expect(maxOf(decoder.tokens.dims[1] ?? 0)).toBe(8);
  });

  test("of fixed shape runs a token at a time", async () => {
    const { maxSequenceLength } = await openProgramDecoder(await open("llama_tiny_4w_static"));
    expect(maxSequenceLength).toBe(1);
  });

  test("is refused where it is none", async () => {
    const program = await open("sdpa_gqa6_2_d64_c77_step");
    await expect(openProgramDecoder(program)).rejects.toThrow(UnsupportedError);
  });
});
