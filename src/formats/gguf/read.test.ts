import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { GgufToWrite } from "../../../tests/support/gguf-writer.ts";
import {
  flag,
  ggufBytes,
  ggufHeader,
  list,
  text,
  u32,
} from "../../../tests/support/gguf-writer.ts";
import type { ByteSource } from "../../byte-source.ts";
import { FormatError, UnsupportedError } from "../../errors.ts";
import { memorySource } from "../../memory-source.ts";
import { readGguf } from "./read.ts";
import { TINY, TINY_METADATA, tinyTensor } from "./tiny-gguf.test-support.ts";

const STORIES = new URL("../../../models/stories-14m/stories-14m-q4_0.gguf", import.meta.url);

const read = (bytes: Uint8Array) => readGguf(memorySource(bytes, "test.gguf"));
const readFile = async (file: GgufToWrite) => read(await ggufBytes(file));
/** `bytes` followed by zeros up to `byteLength`, with what was read of it. */
function recorded(bytes: Uint8Array, byteLength = bytes.length) {
  const reads: (readonly [offset: number, length: number])[] = [];
  const source: ByteSource = {
    name: "test.gguf",
    byteLength,
    async read(offset, length) {
      reads.push([offset, length]);
      const out = new Uint8Array(length);
      out.set(bytes.subarray(offset, offset + length));
      return out;
    },
    async close() {},
  };
  return { source, reads };
}

describe("valid files", () => {
  test("the embedded model", async () => {
    const file = await read(readFileSync(STORIES));
    expect(file.version).toBe(3);
    expect(file.metadata.size).toBe(24);
    expect(file.metadata.get("llama.rope.freq_base")).toBe(10000);
    expect(file.metadata.get("tokenizer.ggml.tokens")).toHaveLength(4096);
    expect(file.tensors).toHaveLength(74);
    expect(file.dataOffset).toBe(133280);
    expect(file.tensors.find(({ name }) => name === "blk.0.ffn_down.weight")).toEqual({
      name: "blk.0.ffn_down.weight",
      dims: [384, 1024],
      type: { name: "Q4_0", blockSize: 32, blockBytes: 18 },
      offset: 133280 + 1552896,
      byteLength: 384 * 32 * 18,
    });
  });

  test.each([2, 3])("version %i, with every value type", async (version) => {
    const metadata = {
      u8: { type: "u8", value: 255 },
      i8: { type: "i8", value: -128 },
      u16: { type: "u16", value: 65535 },
      i16: { type: "i16", value: -2 },
      u32: u32(0xffffffff),
      i32: { type: "i32", value: -5 },
      f32: { type: "f32", value: 0.5 },
      f64: { type: "f64", value: 0.1 },
      bool: flag(false),
      u64: { type: "u64", value: 2 ** 40 },
      large: { type: "u64", value: 2n ** 64n - 1n },
      i64: { type: "i64", value: 2n ** 64n - 3n },
      string: text("\uFEFFnaïve 𝄞"),
      empty: list("u8", []),
      nested: list("array", [list("string", ["a", "b"]), list("bool", [true])]),
    } as const;
    const file = await readFile({ version, metadata, tensors: [], alignment: 64 });
    expect(Object.fromEntries(file.metadata)).toEqual({
      "general.alignment": 64,
      u8: 255,
      i8: -128,
      u16: 65535,
      i16: -2,
      u32: 0xffffffff,
      i32: -5,
      f32: 0.5,
      f64: 0.1,
      bool: false,
      u64: 2 ** 40,
      large: 2n ** 64n - 1n,
      i64: -3,
      string: "\uFEFFnaïve 𝄞",
      empty: [],
      nested: [["a", "b"], [true]],
    });
    expect([file.version, file.alignment]).toEqual([version, 64]);
  });

  test("dimensions are row-major, offsets absolute and aligned", async () => {
    const file = await readFile({ ...TINY, alignment: 128 });
    const [embedding, norm] = file.tensors;
    expect(embedding?.dims).toEqual([6, 256]);
    expect(embedding?.offset).toBe(file.dataOffset);
    expect(norm?.offset).toBe(file.dataOffset + 1280);
    expect(file.dataOffset % 128).toBe(0);
  });

  test("types that cannot be loaded are listed", async () => {
    const tensors = ["IQ3_S", "MXFP4", "Q4_0_8_8"].map((type) => tinyTensor(type, type, [2, 256]));
    const file = await readFile({ metadata: {}, tensors });
    expect(file.tensors.map(({ type }) => type.name)).toEqual(["IQ3_S", "MXFP4", "Q4_0_8_8"]);
  });

  test("a vocabulary of 150,000 takes a few growing reads and no tensor data", async () => {
    const tokens = Array.from({ length: 150_000 }, (_, i) => `token-${i}${"é".repeat(i % 9)}`);
    const header = ggufHeader({
      metadata: { "tokenizer.ggml.tokens": list("string", tokens) },
      tensors: [tinyTensor("w", "F32", [4])],
    });
    const { source, reads } = recorded(header, 2 ** 40);
    const file = await readGguf(source);
    expect(file.metadata.get("tokenizer.ggml.tokens")).toEqual(tokens);
    expect(reads.length).toBeLessThanOrEqual(4);
    let end = 0;
    for (const [offset, length] of reads) {
      expect(offset).toBe(end);
      end += length;
    }
    expect(end).toBeLessThan(2 * header.length);
  });

  test("aborts with the signal's reason", async () => {
    const reason = new Error("stop");
    const bytes = await ggufBytes(TINY);
    await expect(readGguf(memorySource(bytes), AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});

describe("files that are refused", () => {
  const refused = async (
    bytes: Uint8Array,
    kind: new (message: string) => Error,
    message: string | RegExp,
  ) => {
    await expect(read(bytes)).rejects.toThrow(kind);
    await expect(read(bytes)).rejects.toThrow(message);
  };
  const patched = async (
    file: GgufToWrite,
    patch: (view: DataView, at: (needle: string) => number) => void,
  ) => {
    const bytes = await ggufBytes(file);
    const latin = Buffer.from(bytes).toString("latin1");
    patch(new DataView(bytes.buffer), (needle) => {
      const at = latin.indexOf(needle);
      if (at < 0) throw new Error(`${needle} is not in the file`);
      return at + needle.length;
    });
    return bytes;
  };
  const one = (name = "w", dims = [2, 32]): GgufToWrite => ({
    metadata: {},
    tensors: [tinyTensor(name, "Q4_0", dims)],
  });
  /** Offsets past a tensor's name: rank, dimensions of rank 2, type, offset. */
  const AFTER_NAME = { rank: 0, columns: 4, rows: 12, type: 20, offset: 24 };

  test("other magic, versions and byte order", async () => {
    await refused(new Uint8Array(23), FormatError, "23 bytes are too few");
    await refused(new Uint8Array(64), FormatError, 'begins with 0x00000000, not "GGUF"');
    for (const [version, message] of [
      [1, "version 1 is not supported; supported: versions 2 and 3"],
      [4, "version 4 is not supported"],
      [0x03000000, "big-endian files are not supported"],
    ] as const) {
      await refused(ggufHeader({ version, metadata: {}, tensors: [] }), UnsupportedError, message);
    }
  });

  test("counts that the file cannot hold", async () => {
    for (const at of [8, 16]) {
      for (const count of [1000n, 2n ** 31n, 2n ** 53n, 2n ** 64n - 1n]) {
        const bytes = await patched(one(), (view) => view.setBigUint64(at, count, true));
        await expect(read(bytes)).rejects.toThrow(FormatError);
      }
    }
  });

  test("lengths of strings and arrays", async () => {
    const metadata = { key: list("string", ["needle", "b"]) };
    const file = { metadata, tensors: [] };
    for (const length of [100n, 2n ** 24n + 1n, 2n ** 64n - 1n]) {
      const string = await patched(file, (view, at) =>
        view.setBigUint64(at("needle") - 14, length, true),
      );
      await expect(read(string)).rejects.toThrow(FormatError);
      const array = await patched(file, (view, at) =>
        view.setBigUint64(at("needle") - 22, length, true),
      );
      await expect(read(array)).rejects.toThrow(FormatError);
    }
  });

  test("a wrong length costs nothing, however long the file claims to be", async () => {
    for (const [items, length] of [
      ["string", 2 ** 22 + 1],
      ["array", 2 ** 22 + 1],
      ["f64", 2 ** 40],
    ] as const) {
      const bytes = await ggufBytes({ metadata: { key: list(items, []) }, tensors: [] });
      new DataView(bytes.buffer).setBigUint64(24 + 11 + 4 + 4, BigInt(length), true);
      const { source, reads } = recorded(bytes, 2 ** 45);
      await expect(readGguf(source)).rejects.toThrow(`has ${length} elements`);
      expect(reads.length).toBe(1);
    }
    const bytes = await ggufBytes({ metadata: { key: text("") }, tensors: [] });
    new DataView(bytes.buffer).setBigUint64(24 + 11 + 4, 2n ** 30n, true);
    const { source, reads } = recorded(bytes, 2 ** 45);
    await expect(readGguf(source)).rejects.toThrow('"key" has 1073741824 bytes; at most 16777216');
    expect(reads.length).toBe(1);
  });

  test("arrays are limited in all, not only each", async () => {
    const bytes = await ggufBytes({ metadata: { key: list("array", []) }, tensors: [] });
    new DataView(bytes.buffer).setBigUint64(24 + 11 + 4 + 4, 2n ** 20n, true);
    // The zeros that follow are empty arrays of bytes.
    const { source, reads } = recorded(bytes, 2 ** 45);
    await expect(readGguf(source)).rejects.toThrow(
      'with metadata "key", arrays have more than 8388608 elements in all',
    );
    expect(reads.reduce((sum, [, length]) => sum + length, 0)).toBeLessThanOrEqual(2 ** 23);
  });

  test("nesting, value types and booleans", async () => {
    let deep = list("u8", [1]);
    for (let i = 0; i < 4; i++) deep = list("array", [deep]);
    await refused(
      ggufHeader({ metadata: { deep }, tensors: [] }),
      FormatError,
      "arrays nest deeper than 4",
    );
    const flags = { metadata: { needle: flag(true) }, tensors: [] };
    await refused(
      await patched(flags, (view, at) => view.setUint8(at("needle") + 4, 2)),
      FormatError,
      "a boolean is 2",
    );
    await refused(
      await patched(flags, (view, at) => view.setUint32(at("needle"), 13, true)),
      FormatError,
      'metadata "needle" has value type 13, which GGUF does not define',
    );
  });

  test("names that occur twice", async () => {
    const metadata = { aa: u32(1), ab: u32(2) };
    await refused(
      await patched({ metadata, tensors: [] }, (view, at) => view.setUint8(at("ab") - 1, 0x61)),
      FormatError,
      'metadata key "aa" occurs twice',
    );
    const tensors = [tinyTensor("w", "F32", [4]), tinyTensor("w", "F32", [4])];
    await refused(
      await ggufBytes({ metadata: {}, tensors }),
      FormatError,
      'tensor "w" occurs twice',
    );
  });

  test.each([0, 4, 12, 2 ** 21, 0xffffffff])("an alignment of %i", async (alignment) => {
    const bytes = ggufHeader({ metadata: { "general.alignment": u32(alignment) }, tensors: [] });
    await refused(bytes, FormatError, `general.alignment is ${alignment}`);
  });

  test("ranks, dimensions and types", async () => {
    const at = (field: keyof typeof AFTER_NAME, write: (view: DataView, at: number) => void) =>
      patched(one("needle"), (view, find) => write(view, find("needle") + AFTER_NAME[field]));
    for (const rank of [0, 5, 0xffffffff]) {
      await refused(
        await at("rank", (view, offset) => view.setUint32(offset, rank, true)),
        FormatError,
        `tensor "needle" has ${rank} dimensions`,
      );
    }
    for (const rows of [0n, 2n ** 52n, 2n ** 63n]) {
      await expect(
        read(await at("rows", (view, offset) => view.setBigUint64(offset, rows, true))),
      ).rejects.toThrow(FormatError);
    }
    await refused(
      await at("columns", (view, offset) => view.setBigUint64(offset, 33n, true)),
      FormatError,
      "rows of 33, no multiple of Q4_0's 32",
    );
    await refused(
      await at("type", (view, offset) => view.setUint32(offset, 40, true)),
      UnsupportedError,
      'tensor "needle": type 40 is not known; supported: F32, F16, BF16, Q4_0, Q8_0, Q6_K',
    );
  });

  test("offsets that are unaligned, outside the file or in another tensor", async () => {
    const file = {
      metadata: {},
      tensors: [tinyTensor("first", "F32", [16]), tinyTensor("needle", "F32", [2, 16])],
    };
    const at = (offset: bigint) =>
      patched(file, (view, find) =>
        view.setBigUint64(find("needle") + AFTER_NAME.offset, offset, true),
      );
    await refused(await at(65n), FormatError, "begins at 65, not aligned to 32");
    await refused(await at(96n), FormatError, "the file has");
    await refused(await at(2n ** 53n - 32n), FormatError, "the file has");
    await refused(await at(32n), FormatError, "overlaps another");
  });

  test("truncation anywhere", async () => {
    const bytes = await ggufBytes({ metadata: TINY_METADATA, tensors: TINY.tensors.slice(0, 2) });
    for (let length = 0; length < bytes.length; length += length < 1200 ? 7 : 97) {
      await expect(read(bytes.subarray(0, length))).rejects.toThrow(FormatError);
    }
  });
});
