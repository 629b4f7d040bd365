import { describe, expect, test } from "vitest";
import { FormatError, UnsupportedError } from "../../errors.ts";
import { joinNamedData, readRange } from "./byte-range.ts";
import type { ByteRange, NamedData } from "./byte-range.ts";
import {
  bytes,
  f64,
  f64s,
  i32,
  i32s,
  i64,
  i64s,
  string,
  table,
  tables,
  u8,
} from "./flatbuffer-writer.test-support.ts";
import type { Field, Written } from "./flatbuffer-writer.test-support.ts";
import {
  delegateBlob,
  delegateEntry,
  fixture,
  fixtureBytes,
  fixtureFloats,
  floatBytes,
  inlineBytes,
  inlineConstant,
  memorySource,
  namedConstant,
  plan,
  program,
  ptdFile,
  value,
} from "./pte-writer.test-support.ts";
import type { GraphParts } from "./pte-writer.test-support.ts";
import { readDelegate } from "./read-delegate.ts";
import { readProgram } from "./read-program.ts";
import { readPtd } from "./read-ptd.ts";
import type { VkGraph, VkTensor, VkValue } from "./vk-graph.ts";

const FIXTURES = "tests/fixtures/pte";
const NO_NAMES: NamedData = new Map();

function rangeOf(data: Uint8Array): ByteRange {
  return { source: memorySource(data), offset: 0, byteLength: data.length };
}

const graphOf = (parts: GraphParts, inline?: Uint8Array, names = NO_NAMES): Promise<VkGraph> =>
  readDelegate(rangeOf(delegateBlob(parts, inline)), names);

async function readFixture(path: string): Promise<VkGraph> {
  const program = await readProgram(fixture(path));
  const [delegate] = program.methods.get("forward")?.delegates ?? [];
  if (delegate === undefined) throw new Error("no delegate");
  return readDelegate(delegate.blob, program.namedData);
}

function tensorAt(graph: VkGraph, index: number | undefined): VkTensor {
  const found = graph.values[index ?? -1];
  if (found?.kind !== "tensor") throw new Error(`value ${index} is no tensor`);
  return found;
}

async function constantBytes(graph: VkGraph, tensor: VkTensor): Promise<Uint8Array> {
  const constant = graph.constants[tensor.constantId ?? -1];
  if (constant === undefined) throw new Error("no constant");
  return readRange(constant.range);
}

async function constantFloats(graph: VkGraph, tensor: VkTensor): Promise<Float32Array> {
  return new Float32Array((await constantBytes(graph, tensor)).slice().buffer);
}

describe("graphs written by the exporter", () => {
  /** One layer of a Llama with 4-bit weights, from the first norm. */
  const layer = (select: readonly string[]): string[] => [
    "et_vk.rms_norm.default",
    ...["q", "k", "v"].flatMap(() => ["et_vk.linear_q4gsw.default", "aten.view_copy.default"]),
    "et_vk.apply_rotary_emb.default",
    ...select,
    "sdpa_with_kv_cache.default",
    "aten.view_copy.default",
    "et_vk.linear_q4gsw.default",
    "aten.view_copy.default",
    "aten.add.Tensor",
    "et_vk.rms_norm.default",
    "et_vk.linear_q4gsw.default",
    "aten.view_copy.default",
    "aten.sigmoid.default",
    "aten.mul.Tensor",
    "et_vk.linear_q4gsw.default",
    "aten.view_copy.default",
    "aten.mul.Tensor",
    "et_vk.linear_q4gsw.default",
    "aten.view_copy.default",
    "aten.add.Tensor",
  ];
  const llama = (layers: number): string[] => [
    "et_vk.prepack.default",
    "et_vk.prepack.default",
    "sym_size.int",
    "et_vk.embedding_q4gsw.default",
    "et_vk.select_as_symint.default",
    "add",
    "aten.slice_copy.Tensor",
    "aten.slice_copy.Tensor",
    ...layer(["et_vk.select_as_symint.default"]),
    ...Array.from({ length: layers - 1 }, () => layer([])).flat(),
    "aten.select_copy.int",
    "et_vk.rms_norm.default",
    "et_vk.linear_q4gsw.default",
  ];

  test.each([
    [`${FIXTURES}/llama_tiny_4w_dyn.pte`, 2],
    [`${FIXTURES}/llama_tiny_4w_fp16_dyn.pte`, 2],
    ["models/stories-14m/pte/stories-14m-4w.pte", 8],
  ])("%s: %i layers", async (path, layers) => {
    const { chain } = await readFixture(path);
    expect(chain.map(({ name }) => name)).toEqual(llama(layers));
    expect(chain.map(({ nodeId }) => nodeId)).toEqual(chain.map((_, i) => i));
  });

  test.each([
    ["llama_tiny_4w_static", "aten.index.Tensor", 2],
    ["llama_tiny_8da4w_dyn", "et_vk.linear_dq8ca_q4gsw.default", 15],
    ["llama_tiny_8da4w_dyn", "torchao.choose_qparams_affine.default", 15],
    ["sdpa_gqa6_2_d64_c77_step", "sdpa_with_kv_cache.default", 1],
    ["sdpa_gqa10_2_d20_c29_ext_scale", "sdpa_with_kv_cache.default", 1],
  ])("%s has %s %i times", async (name, operator, count) => {
    const { chain } = await readFixture(`${FIXTURES}/${name}.pte`);
    expect(chain.filter((call) => call.name === operator)).toHaveLength(count);
  });

  test("the caches of one attention have one name but are two tensors", async () => {
    const graph = await readFixture(`${FIXTURES}/sdpa_gqa6_2_d64_c77_step.pte`);
    const attention = graph.chain.find(({ name }) => name.startsWith("sdpa"));
    const [, , , keys, values, position] = attention?.args ?? [];
    const [k, v] = [tensorAt(graph, keys), tensorAt(graph, values)];
    expect(k).toMatchObject({ type: "f32", dims: [1, 77, 2, 64] });
    expect(k.constantId).not.toBe(v.constantId);
    expect(graph.constants[0]?.key).toBe(graph.constants[1]?.key);
    expect(graph.values[position as number]?.kind).toBe("symInt");
  });

  test("half precision keeps single precision at the boundary", async () => {
    const graph = await readFixture(`${FIXTURES}/llama_tiny_4w_fp16_dyn.pte`);
    expect(tensorAt(graph, graph.outputIds[0])).toMatchObject({ type: "f16", stagingType: "f32" });
  });

  // Contract of et_vk.linear_q4gsw: nibble k of a row is value + 8, scales are [K / group, pad4(N)].
  test.each([
    ["q4_gemv_1x64x24_g32", 1, 64, 24],
    ["q4_gemm_3x64x24_g32", 3, 64, 24],
    ["q4_gemm_96x128x136_g64", 96, 128, 136],
    ["q4_bias_5x64x40_g32", 5, 64, 40],
  ])("weights reproduce the golden product: %s", async (name, m, k, n) => {
    const graph = await readFixture(`${FIXTURES}/${name}.pte`);
    const [call] = graph.chain;
    const [, weightId, scalesId, groupId, biasId] = call?.args ?? [];
    const weight = await constantBytes(graph, tensorAt(graph, weightId));
    const scalesTensor = tensorAt(graph, scalesId);
    const scales = await constantFloats(graph, scalesTensor);
    const group = graph.values[groupId as number];
    if (group?.kind !== "int") throw new Error("group size");
    const hasBias = graph.values[biasId as number]?.kind === "tensor";
    const bias = hasBias ? await constantFloats(graph, tensorAt(graph, biasId)) : undefined;
    const input = fixtureFloats(`${FIXTURES}/${name}.in0.bin`);
    const golden = fixtureFloats(`${FIXTURES}/${name}.out0.bin`);

    const scalesWidth = scalesTensor.dims[1] as number;
    const dequantized = (row: number, column: number): number => {
      const byte = weight[row * (k / 2) + (column >> 1)] as number;
      const nibble = column % 2 === 0 ? byte & 15 : byte >> 4;
      const scaleRow = Math.floor(column / Number(group.value));
      return (nibble - 8) * (scales[scaleRow * scalesWidth + row] as number);
    };
    expect(golden).toHaveLength(m * n);
    let worst = 0;
    for (let row = 0; row < m; row++) {
      for (let column = 0; column < n; column++) {
        let sum = bias?.[column] ?? 0;
        for (let i = 0; i < k; i++) sum += (input[row * k + i] as number) * dequantized(column, i);
        worst = Math.max(worst, Math.abs(sum - (golden[row * n + column] as number)));
      }
    }
    // The golden is a float64 product rounded to float32: values up to 8 are off by 2^-22 at most.
    expect(Math.max(...golden.map(Math.abs))).toBeLessThan(8);
    expect(worst).toBeLessThan(2 ** -21);
  });
});

describe("values", () => {
  test("of every kind, 64-bit integers exactly", async () => {
    const { values } = await graphOf({
      values: [
        value(1),
        value(2, { 0: i64(2n ** 63n - 1n) }),
        value(2, { 0: i64(-1n) }),
        value(3, { 0: f64(1e-5) }),
        value(4, { 0: u8(1) }),
        value(6, { 0: i64s([2n ** 63n - 1n, -(2n ** 63n)]) }),
        value(7, { 0: f64s([0.5]) }),
        value(8, { 0: bytes([0, 1]) }),
        value(9, { 0: i32s([0, 1]) }),
        value(10, { 0: string("tanh") }),
        value(11, { 0: i32(3) }),
      ],
    });
    expect(values).toEqual<VkValue[]>([
      { kind: "null" },
      { kind: "int", value: 2n ** 63n - 1n },
      { kind: "int", value: -1n },
      { kind: "double", value: 1e-5 },
      { kind: "bool", value: true },
      { kind: "intList", items: [2n ** 63n - 1n, -(2n ** 63n)] },
      { kind: "doubleList", items: [0.5] },
      { kind: "boolList", items: [false, true] },
      { kind: "valueList", items: [0, 1] },
      { kind: "string", value: "tanh" },
      { kind: "symInt", value: 3 },
    ]);
  });

  test("a tensor's missing fields: type bool, scalar, ids 0, no staging type", async () => {
    const { values } = await graphOf(
      { values: [value(5)], constants: [inlineConstant(0, 1)] },
      new Uint8Array(1),
    );
    expect(values).toEqual([
      {
        kind: "tensor",
        type: "bool",
        dims: [],
        constantId: 0,
        memoryObjectId: 0,
        stagingType: undefined,
      },
    ]);
  });

  test("ids of -1 are none", async () => {
    const fields = { 0: u8(7), 1: i32s([3]), 2: i32(-1), 3: i32(-1), 6: u8(3) };
    const { values } = await graphOf({ values: [value(5, fields)] });
    expect(values[0]).toMatchObject({
      type: "i64",
      constantId: undefined,
      memoryObjectId: undefined,
      stagingType: "i32",
    });
  });

  const tensor = (fields: Record<number, Field>): Written =>
    value(5, { 0: u8(5), 1: i32s([2]), 2: i32(-1), 3: i32(-1), ...fields });

  test.each<[string, GraphParts, typeof FormatError | typeof UnsupportedError, RegExp]>([
    ["value type 12", { values: [value(12)] }, UnsupportedError, /value type 12 .* 1 to 11/],
    ["element type 8", { values: [tensor({ 0: u8(8) })] }, UnsupportedError, /type 8 .* f32/],
    ["staging type 9", { values: [tensor({ 6: u8(9) })] }, UnsupportedError, /type 9/],
    ["constant", { values: [tensor({ 2: i32(0) })] }, FormatError, /constant 0, but there are 0/],
    [
      "size beyond 2^53",
      { values: [tensor({ 1: i32s([-1, -1]) })] },
      FormatError,
      /\[4294967295, 4294967295\] is larger than any file/,
    ],
    ["list item", { values: [value(9, { 0: i32s([-1]) })] }, FormatError, /items: value -1/],
    [
      "list in itself",
      { values: [value(9, { 0: i32s([0]) })] },
      UnsupportedError,
      /values\[0\]: lists of lists/,
    ],
    ["input", { inputs: [0] }, FormatError, /input_ids: value 0, but there are 0/],
    ["output", { values: [value(1)], outputs: [0] }, FormatError, /value 0 is a null/],
    [
      "argument",
      { chain: [table({ 1: string("add"), 2: i32s([0]) })] },
      FormatError,
      /chain\[0\]\.args: value 0, but there are 0/,
    ],
    ["operator", { chain: [table({})] }, FormatError, /chain\[0\]\.name: missing/],
  ])("refused: %s", async (_, parts, kind, message) => {
    await expect(graphOf(parts)).rejects.toThrow(kind);
    await expect(graphOf(parts)).rejects.toThrow(message);
  });
});

describe("constants", () => {
  const values = [value(5, { 0: u8(5), 1: i32s([2]), 2: i32(0), 3: i32(-1) })];

  test("in the blob", async () => {
    const parts = { values, constants: [inlineConstant(16, 8)] };
    const graph = await graphOf(parts, floatBytes([0, 0, 0, 0, 1.5, -3]));
    expect(graph.constants[0]?.key).toBeUndefined();
    expect([...(await constantFloats(graph, tensorAt(graph, 0)))]).toEqual([1.5, -3]);
  });

  test("in the blob's rest where the header gives no size", async () => {
    const blob = delegateBlob({ values, constants: [inlineConstant(0, 8)] }, floatBytes([7, 8]));
    blob.fill(0, 22, 30);
    const graph = await readDelegate(rangeOf(blob), NO_NAMES);
    expect([...(await constantFloats(graph, tensorAt(graph, 0)))]).toEqual([7, 8]);
  });

  test("in the blob of a program without segments", async () => {
    const blob = delegateBlob({ values, constants: [inlineConstant(0, 8)] }, floatBytes([5, 6]));
    const data = program([plan({ delegates: [delegateEntry(0, 0)] })], {
      3: tables([inlineBytes(blob)]),
    });
    const { methods, namedData } = await readProgram(memorySource(data));
    const delegate = methods.get("forward")?.delegates[0];
    if (delegate === undefined) throw new Error("no delegate");
    const graph = await readDelegate(delegate.blob, namedData);
    expect([...(await constantFloats(graph, tensorAt(graph, 0)))]).toEqual([5, 6]);
  });

  test("by the first file that has the name", () => {
    const [first, second] = [rangeOf(new Uint8Array(1)), rangeOf(new Uint8Array(2))];
    const joined = joinNamedData(
      new Map([["a", first]]),
      new Map([
        ["a", second],
        ["b", second],
      ]),
    );
    expect([joined.get("a"), joined.get("b")]).toEqual([first, second]);
  });

  test("in .ptd files, of several", async () => {
    const files = [
      await readPtd(memorySource(ptdFile({ other: floatBytes([0]) }), "a.ptd")),
      await readPtd(memorySource(ptdFile({ weight: floatBytes([2, 4, 6]) }), "b.ptd")),
    ];
    const names = joinNamedData(NO_NAMES, ...files.map((file) => file.namedData));
    // Longer data is fine: the first `length` bytes count.
    const graph = await graphOf(
      { values, constants: [namedConstant("weight", 8)] },
      undefined,
      names,
    );
    expect(graph.constants[0]).toMatchObject({
      key: "weight",
      range: { source: { name: "b.ptd" } },
    });
    expect([...(await constantFloats(graph, tensorAt(graph, 0)))]).toEqual([2, 4]);
  });

  test.each<[string, Written, RegExp]>([
    ["unknown name", namedConstant("nobody", 8), /no data named "nobody" in the program, nor/],
    ["no name", table({ 0: i64(-1n), 1: i64(8n) }), /named_key: missing/],
    ["past the region", inlineConstant(4, 8), /constants\[0\]: bytes 4…12 pass the end at 8/],
    ["past 2^53", inlineConstant(0, 2 ** 60), /length: \d+ is no size/],
    ["too short for its tensor", inlineConstant(0, 7), /of 7 bytes for f32 \[2\], which takes 8/],
    ["longer than its named data", namedConstant("weight", 9), /bytes 0…9 pass the end at 8/],
  ])("refused: %s", async (_, constant, message) => {
    const data = floatBytes([1, 2]);
    const result = graphOf(
      { values, constants: [constant] },
      data,
      new Map([["weight", rangeOf(data)]]),
    );
    await expect(result).rejects.toThrow(FormatError);
    await expect(result).rejects.toThrow(message);
  });
});

describe("the blob's header", () => {
  const blob = delegateBlob({}, new Uint8Array(16));
  const changed = (offset: number, ...items: number[]): Uint8Array => {
    const copy = blob.slice();
    copy.set(items, offset);
    return copy;
  };

  test.each([
    ["nothing", new Uint8Array(0), /no "VH00" at byte 4/],
    ["another magic", changed(4, 0x30), /no "VH00"/],
    ["too short", blob.subarray(0, 29), /no "VH00"/],
    ["header size", changed(8, 29), /a header of 29 bytes/],
    ["graph in the header", changed(10, 8), /a graph at byte 8/],
    ["no graph", changed(14, 0, 0, 0, 0), /a graph of 0 bytes/],
    ["constants in the graph", changed(18, 33), /constants at 33/],
    ["graph past the end", blob.subarray(0, 64), /graph: bytes .* pass the end at 64/],
    ["constants past the end", changed(22, 17), /constants: bytes .* pass the end/],
    ["graph identifier", changed(36, 0x58), /graph identifier "XK00", expected "VK00"/],
  ])("refused: %s", async (_, data, message) => {
    await expect(readDelegate(rangeOf(data), NO_NAMES)).rejects.toThrow(FormatError);
    await expect(readDelegate(rangeOf(data), NO_NAMES)).rejects.toThrow(message);
  });

  test("is as exporters write it", async () => {
    const { segments } = await readProgram(fixture(`${FIXTURES}/q4_bias_5x64x40_g32.pte`));
    const start = segments[1]?.offset ?? 0;
    const head = fixtureBytes(`${FIXTURES}/q4_bias_5x64x40_g32.pte`).subarray(start, start + 14);
    expect([...head]).toEqual([...blob.subarray(0, 14)]);
  });
});
