import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import type { MetadataValue } from "../../../tests/support/gguf-writer.ts";
import { f32, ggufBytes, list, text, u32 } from "../../../tests/support/gguf-writer.ts";
import type { Checkpoint, CheckpointTensor } from "../../checkpoint.ts";
import { FormatError, RequestError, UnsupportedError } from "../../errors.ts";
import { memorySource } from "../../memory-source.ts";
import { numberToF16Bits } from "../../quant/f16.ts";
import { dequantizeQ4_0 } from "../../quant/q4-0.ts";
import { dequantizeQ4, quantizeQ4 } from "../../quant/q4gsw.ts";
import { ggufCheckpoint } from "./checkpoint.ts";
import { readGguf } from "./read.ts";
import { TINY, TINY_METADATA, tinyTensor } from "./tiny-gguf.test-support.ts";
import { describeRequantized } from "./weights-report.ts";

const STORIES = new URL("../../../models/stories-14m/stories-14m-q4_0.gguf", import.meta.url);

async function load(bytes: Uint8Array): Promise<Checkpoint> {
  const source = memorySource(bytes, "test.gguf");
  return ggufCheckpoint(await readGguf(source), source);
}

/** The tiny model with other metadata; `undefined` removes an entry. */
async function tiny(
  changes: Record<string, MetadataValue | undefined> = {},
  tensors = TINY.tensors,
): Promise<Checkpoint> {
  const entries = Object.entries({ ...TINY_METADATA, ...changes });
  const metadata = Object.fromEntries(
    entries.flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const])),
  );
  return load(await ggufBytes({ metadata, tensors }));
}

function tensorOf({ tensors }: Checkpoint, name: string): CheckpointTensor {
  const tensor = tensors.get(name);
  if (tensor === undefined) throw new Error(`no tensor ${name}`);
  return tensor;
}

async function valuesOf(tensor: CheckpointTensor): Promise<Float32Array> {
  const rows = tensor.f32();
  const [plane] = await rows.read(0, rows.rows);
  return new Float32Array(plane!.slice().buffer);
}

async function q4ValuesOf(tensor: CheckpointTensor): Promise<Float32Array> {
  const { rows, columns, groupSize, data } = tensor.q4();
  const [weight, scales] = await data.read(0, rows);
  const bits = new Uint16Array(scales!.slice().buffer);
  return dequantizeQ4({ rows, columns, groupSize, weight: weight!, scales: bits });
}

/** The first index where two arrays differ, or −1: arrays this long are no good to print. */
function firstDifference(a: Float32Array, b: Float32Array): number {
  const length = Math.max(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return i;
  return -1;
}

describe("the embedded model", () => {
  let bytes: Uint8Array;
  let checkpoint: Checkpoint;
  beforeAll(async () => {
    bytes = readFileSync(STORIES);
    checkpoint = await load(bytes);
  });

  test("hyperparameters", () => {
    expect(checkpoint.architecture).toBe("llama");
    expect(checkpoint.hyperparameters).toEqual({
      layers: 8,
      hiddenSize: 384,
      heads: 6,
      kvHeads: 2,
      headSize: 64,
      feedForwardSize: 1024,
      vocabularySize: 4096,
      contextLength: 512,
      normEpsilon: Math.fround(1e-5),
      ropeTheta: 10_000,
      ropeLayout: "interleaved",
      ropeScaling: undefined,
      ropeSize: 64,
    });
  });

  test("every Q4_0 tensor repacks without loss", async () => {
    const file = await readGguf(memorySource(bytes));
    const quantized = file.tensors.filter(({ type }) => type.name === "Q4_0");
    expect(quantized).toHaveLength(57);
    for (const { name, dims, offset, byteLength } of quantized) {
      const stored = new Float32Array(dims[0]! * dims[1]!);
      dequantizeQ4_0(bytes.subarray(offset, offset + byteLength), stored);
      const tensor = tensorOf(checkpoint, name);
      expect(tensor.q4().requantized).toBe(false);
      expect([name, firstDifference(await q4ValuesOf(tensor), stored)]).toEqual([name, -1]);
    }
    expect(describeRequantized(file)).toBeUndefined();
  });

  test("rows read apart are the rows read together", async () => {
    const { data, columns } = tensorOf(checkpoint, "blk.3.ffn_down.weight").q4();
    expect(data.planeRowBytes).toEqual([columns / 2, columns / 16]);
    const together = await data.read(5, 3);
    for (let row = 0; row < 3; row++) {
      const apart = await data.read(5 + row, 1);
      apart.forEach((plane, i) => {
        const size = data.planeRowBytes[i]!;
        expect([...plane]).toEqual([...together[i]!.subarray(row * size, (row + 1) * size)]);
      });
    }
  });
});

describe("tensors", () => {
  test("each type that can be loaded is widened and requantised by Q4_0's rule", async () => {
    const checkpoint = await tiny();
    const matrices = [...checkpoint.tensors.values()].filter(({ dims }) => dims.length === 2);
    const types = new Set(matrices.map(({ storedType }) => storedType));
    expect([...types].sort()).toEqual(["BF16", "F16", "F32", "Q4_0", "Q6_K", "Q8_0"]);
    for (const tensor of matrices) {
      const [rows = 0, columns = 0] = tensor.dims;
      const values = await valuesOf(tensor);
      expect(values.some((value) => value !== 0)).toBe(true);
      const exact = tensor.storedType === "Q4_0";
      expect(tensor.q4().requantized).toBe(!exact);
      const planes = quantizeQ4(values, { rows, columns, groupSize: 32 }, "f16");
      const expected = exact ? values : dequantizeQ4(planes);
      expect([tensor.name, firstDifference(await q4ValuesOf(tensor), expected)]).toEqual([
        tensor.name,
        -1,
      ]);
    }
  });

  test("vectors", async () => {
    const norm = tensorOf(await tiny(), "output_norm.weight");
    expect(norm).toMatchObject({ dims: [256], storedType: "F32", byteLength: 1024 });
    expect([...(await valuesOf(norm)).subarray(0, 3)]).toEqual([0, 1 / 16, 2 / 16]);
    expect(norm.f32()).toMatchObject({ rows: 256, storedRowBytes: 4, planeRowBytes: [4] });
    expect(() => norm.q4()).toThrow(UnsupportedError);
    const blocks = tinyTensor("blocks", "Q8_0", [64]);
    const quantized = tensorOf(await tiny({}, [...TINY.tensors, blocks]), "blocks");
    expect(quantized.f32()).toMatchObject({ rows: 1, storedRowBytes: 68, planeRowBytes: [256] });
  });

  test("types that cannot be loaded are refused by name when they are needed", async () => {
    const checkpoint = await tiny({}, [...TINY.tensors, tinyTensor("w", "IQ3_S", [2, 256])]);
    const tensor = tensorOf(checkpoint, "w");
    for (const use of [() => tensor.q4(), () => tensor.f32()]) {
      expect(use).toThrow(UnsupportedError);
      expect(use).toThrow(
        'tensor "w": type IQ3_S is not supported; supported: F32, F16, BF16, Q4_0, Q8_0, Q6_K',
      );
    }
  });

  test("matrices that 4 bits cannot hold", async () => {
    const nan = tinyTensor("nan", "F16", [2, 32]);
    if (typeof nan.data !== "function") nan.data.set([0, 0x7e], 66);
    const narrow = tinyTensor("narrow", "F32", [2, 40]);
    const checkpoint = await tiny({}, [...TINY.tensors, nan, narrow]);
    const { data } = tensorOf(checkpoint, "nan").q4();
    await expect(data.read(0, 1)).resolves.toHaveLength(2);
    await expect(data.read(1, 1)).rejects.toThrow(FormatError);
    expect(() => tensorOf(checkpoint, "narrow").q4()).toThrow("rows of a multiple of 32");
  });

  test.each([
    [-1, 1],
    [0, 7],
    [6, 1],
    [0.5, 1],
    [0, NaN],
  ])("rows %d, %d of 6 are refused", async (start, count) => {
    const { data } = tensorOf(await tiny(), "token_embd.weight").q4();
    await expect(data.read(start, count)).rejects.toThrow(RequestError);
  });

  test("what is rounded to 4 bits is said", async () => {
    const tensors = [...TINY.tensors, tinyTensor("w", "IQ3_S", [2, 256])];
    const file = await readGguf(memorySource(await ggufBytes({ ...TINY, tensors })));
    expect(describeRequantized(file)).toBe(
      "1 Q6_K and 1 Q8_0 and 1 F16 and 1 BF16 and 1 F32 matrices are rounded to 4 bits (Q4_0)",
    );
  });
});

describe("hyperparameters", () => {
  const of = async (changes: Record<string, MetadataValue | undefined>, tensors = TINY.tensors) =>
    (await tiny(changes, tensors)).hyperparameters;
  const withoutFactors = TINY.tensors.filter(({ name }) => name !== "rope_freqs.weight");

  test("defaults", async () => {
    const found = await of({
      "llama.attention.head_count_kv": undefined,
      "llama.rope.freq_base": undefined,
      "llama.rope.dimension_count": undefined,
    });
    expect(found).toMatchObject({ kvHeads: 4, ropeTheta: 10_000, headSize: 64, ropeSize: 64 });
    const wide = { "llama.attention.key_length": u32(80), "llama.attention.value_length": u32(80) };
    expect(await of(wide)).toMatchObject({ headSize: 80, ropeSize: 64 });
  });

  test("rope scaling", async () => {
    const type = "llama.rope.scaling.type";
    const factor = { "llama.rope.scaling.factor": f32(4) };
    expect((await of({})).ropeScaling).toEqual({ type: "factors", tensor: "rope_freqs.weight" });
    expect((await of({}, withoutFactors)).ropeScaling).toBeUndefined();
    expect((await of({ [type]: text("none") }, withoutFactors)).ropeScaling).toBeUndefined();
    const linear = { type: "linear", factor: 4 };
    expect((await of({ [type]: text("linear"), ...factor }, withoutFactors)).ropeScaling).toEqual(
      linear,
    );
    const legacy = { "llama.rope.scale_linear": f32(4) };
    expect((await of(legacy, withoutFactors)).ropeScaling).toEqual(linear);
    for (const changes of [
      { [type]: text("yarn"), ...factor },
      { [type]: text("linear"), ...factor },
      { [type]: list("u8", [1]) },
    ]) {
      await expect(of(changes)).rejects.toThrow(UnsupportedError);
    }
    await expect(of({ [type]: text("linear") }, withoutFactors)).rejects.toThrow(
      'metadata "llama.rope.scaling.factor" is missing; must be a number above 0',
    );
  });

  test("architectures and their rope layouts", async () => {
    const renamed = (architecture: string) => ({
      "general.architecture": text(architecture),
      ...Object.fromEntries(
        Object.entries(TINY_METADATA).map(([key, value]) => [
          key.replace(/^llama\./, `${architecture}.`),
          key === "general.architecture" ? text(architecture) : value,
        ]),
      ),
    });
    expect((await of(renamed("qwen2"))).ropeLayout).toBe("half");
    expect((await of(renamed("qwen3"))).ropeLayout).toBe("half");
    expect((await of({})).ropeLayout).toBe("interleaved");
    for (const name of ["gemma3", "constructor", "__proto__"]) {
      await expect(of({ "general.architecture": text(name) })).rejects.toThrow(
        `architecture "${name}" is not supported; supported: llama, qwen2, qwen3`,
      );
    }
    await expect(of({ "general.architecture": u32(1) })).rejects.toThrow(FormatError);
  });

  test.each<[string, MetadataValue | undefined, new (message: string) => Error, string]>([
    ["llama.block_count", undefined, FormatError, '"llama.block_count" is missing'],
    ["llama.block_count", u32(0), FormatError, "is 0; must be an integer from 1 to 4096"],
    ["llama.block_count", text("2"), FormatError, 'is "2"; must be an integer'],
    [
      "llama.embedding_length",
      { type: "u64", value: 2n ** 63n },
      FormatError,
      "must be an integer",
    ],
    ["llama.attention.head_count", list("u32", [4, 4]), UnsupportedError, "differs by layer"],
    ["llama.attention.head_count_kv", u32(3), FormatError, "4 query heads for 3 key/value heads"],
    ["llama.attention.key_length", u32(32), UnsupportedError, "values"],
    ["llama.rope.dimension_count", u32(63), FormatError, "63 rotated elements of a head of 64"],
    ["llama.rope.dimension_count", u32(66), FormatError, "66 rotated elements of a head of 64"],
    ["llama.attention.layer_norm_rms_epsilon", f32(NaN), FormatError, "must be a number above 0"],
    ["llama.rope.freq_base", f32(-1), FormatError, "is -1; must be a number above 0"],
    ["llama.expert_count", u32(8), UnsupportedError, "mixtures of experts are not supported"],
    ["split.count", { type: "u16", value: 3 }, UnsupportedError, "one of 3 files of a split model"],
  ])("%s of %o is refused", async (key, value, kind, message) => {
    const valueLength = { "llama.attention.value_length": u32(64) };
    await expect(of({ ...valueLength, [key]: value })).rejects.toThrow(kind);
    await expect(of({ ...valueLength, [key]: value })).rejects.toThrow(message);
  });

  test("a file without an embedding", async () => {
    await expect(of({}, TINY.tensors.slice(1))).rejects.toThrow(
      'tensor "token_embd.weight" is missing or no matrix',
    );
  });

  test("f16 scales of requantised planes are those of the rule", async () => {
    const values = new Float32Array(32).fill(0.5);
    const data = new Uint8Array(values.buffer);
    const checkpoint = await tiny({}, [
      ...TINY.tensors,
      { name: "w", type: "F32", dims: [1, 32], data },
    ]);
    const [weight, scales] = await tensorOf(checkpoint, "w").q4().data.read(0, 1);
    expect([...weight!]).toEqual(Array(16).fill(0));
    expect(new Uint16Array(scales!.slice().buffer)[0]).toBe(numberToF16Bits(-1 / 16));
  });
});
