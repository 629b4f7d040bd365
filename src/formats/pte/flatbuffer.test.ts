import { describe, expect, test } from "vitest";
import { FormatError } from "../../errors.ts";
import { FlatBuffer, MAX_DEPTH, MAX_STRING_BYTES } from "./flatbuffer.ts";
import type { FlatTable } from "./flatbuffer.ts";
import {
  bytes,
  f64s,
  flatbuffer,
  i32,
  i32s,
  i64,
  i64s,
  string,
  table,
  tables,
  u8,
} from "./flatbuffer-writer.test-support.ts";
import type { Written } from "./flatbuffer-writer.test-support.ts";

const rootOf = (root: Written): FlatTable =>
  new FlatBuffer(flatbuffer(root, "TEST"), "test").root();

/** A buffer from 32-bit words. */
const words = (...items: number[]): Uint8Array => new Uint8Array(new Uint32Array(items).buffer);

describe("fields", () => {
  test("are read by slot, absent ones as their defaults", () => {
    const root = rootOf(
      table({
        0: u8(200),
        1: i32(-7),
        2: i64(2n ** 63n - 1n),
        3: string("naïve"),
        4: i32s([1, -1]),
        5: i64s([-(2n ** 63n)]),
        6: f64s([0.1]),
        7: bytes([1, 2, 3]),
        8: tables([table({ 0: i32(5) })]),
      }),
    );
    expect(root.u8(0, "a")).toBe(200);
    expect(root.i8(0, "a")).toBe(-56);
    expect(root.i32(1, "a")).toBe(-7);
    expect(root.u32(1, "a")).toBe(2 ** 32 - 7);
    expect(root.i64(2, "a")).toBe(2n ** 63n - 1n);
    expect(root.string(3, "a")).toBe("naïve");
    expect(root.i32s(4, "a")).toEqual([1, -1]);
    expect(root.u32s(4, "a")).toEqual([1, 2 ** 32 - 1]);
    expect(root.i64s(5, "a")).toEqual([-(2n ** 63n)]);
    expect(root.u64s(5, "a")).toEqual([2n ** 63n]);
    expect(root.f64s(6, "a")).toEqual([0.1]);
    expect([...root.bytes(7, "a")]).toEqual([1, 2, 3]);
    expect(root.bools(7, "a")).toEqual([true, true, true]);
    expect(root.tables(8, "a").map((item) => item.i32(0, "b"))).toEqual([5]);

    expect(root.has(8)).toBe(true);
    expect(root.has(9)).toBe(false);
    expect(root.u8(9, "a", 255)).toBe(255);
    expect(root.i64(9, "a")).toBe(0n);
    expect(root.f64(9, "a")).toBe(0);
    expect(root.string(9, "a")).toBeUndefined();
    expect(root.table(9, "a")).toBeUndefined();
    expect(root.tables(9, "a")).toEqual([]);
    expect(() => root.requiredString(9, "name")).toThrow(/^test\.name: missing$/);
    expect(() => root.union(9, "value")).toThrow(/^test\.value: missing$/);
  });

  test("wider than their table are refused", () => {
    const narrow = rootOf(table({ 0: u8(1) }));
    expect(() => narrow.i64(0, "size")).toThrow(/^test\.size: at byte \d+ of a table of \d+$/);
  });
});

describe("hostile buffers", () => {
  test.each([
    ["empty", new Uint8Array(0), /outside the buffer of 0/],
    ["a root past the end", words(8, 0), /bytes 8…12 are outside the buffer of 8/],
    ["a root at the end of 32 bits", words(0xffff_fffc, 0), /outside the buffer/],
    ["a vtable before the start", words(4, 100), /bytes -96…-92 are outside/],
    ["a vtable past the end", words(4, 0xffff_fff0), /outside the buffer/],
    ["a vtable shorter than its own fields", words(8, 0x0004_0002, 4), /a vtable of 2 bytes/],
    ["a vtable of odd length", words(8, 0x0004_0007, 4), /a vtable of 7 bytes/],
    ["a vtable longer than the buffer", words(8, 0x0004_1000, 4), /bytes 4…4100 are outside/],
    ["a table longer than the buffer", words(8, 0x1000_0004, 4), /bytes 8…4104 are outside/],
  ])("%s", (_, buffer, message) => {
    expect(() => new FlatBuffer(buffer, "test").root()).toThrow(FormatError);
    expect(() => new FlatBuffer(buffer, "test").root()).toThrow(message);
  });

  // Root at 12: vtable at 4 with one slot at byte 4; the slot points 4 further, to a vector's length.
  const vectorOf = (length: number): FlatTable =>
    new FlatBuffer(words(12, 0x0008_0006, 4, 8, 4, length, 0x6161_6161), "test").root();

  test("vectors that pass the end are refused before anything is allocated", () => {
    expect(vectorOf(1).u32s(0, "v")).toEqual([0x6161_6161]);
    expect(() => vectorOf(2).u32s(0, "v")).toThrow(/^test\.v: bytes 24…32 are outside/);
    expect(() => vectorOf(0xffff_ffff).u64s(0, "v")).toThrow(FormatError);
    expect(() => vectorOf(0x4000_0001).u32s(0, "v")).toThrow(FormatError);
    expect(() => vectorOf(0xffff_ffff).string(0, "v")).toThrow(FormatError);
    expect(() => vectorOf(0xffff_ffff).tables(0, "v")).toThrow(FormatError);
    expect(() => vectorOf(1).tables(0, "v")).toThrow(/^test\.v\[0\]: /);
    expect(() => vectorOf(0xffff_ffff).extent(0, "v")).toThrow(FormatError);
  });

  test("text that is not UTF-8 is refused", () => {
    const root = rootOf(table({ 0: bytes([0x61, 0xff]) }));
    expect(() => root.string(0, "name")).toThrow(/^test\.name: not valid UTF-8$/);
  });

  test("strings have a limit", () => {
    const root = rootOf(table({ 0: bytes(new Uint8Array(MAX_STRING_BYTES + 1)) }));
    expect(() => root.string(0, "name")).toThrow(FormatError);
  });

  test("nesting has a limit", () => {
    let nested = table({});
    for (let i = 0; i < MAX_DEPTH + 1; i++) nested = table({ 0: nested });
    let inner: FlatTable | undefined = rootOf(nested);
    expect(() => {
      while (inner !== undefined) inner = inner.table(0, "t");
    }).toThrow(/more than 16 nested tables/);
  });

  test("vectors that share their elements do not unfold without limit", () => {
    // A vector of 4,096 offsets, all to one table, which holds a vector of 4,096 numbers.
    const shared: Written = {
      write: (builder) => {
        const item = table({ 0: i32s(Array.from({ length: 4096 }, () => 0)) }).write(builder);
        builder.startVector(4, 4096, 4);
        for (let i = 0; i < 4096; i++) builder.addOffset(item);
        return builder.endVector();
      },
    };
    const root = rootOf(table({ 0: shared }));
    const items = root.tables(0, "t");
    expect(() => items.map((item) => item.i32s(0, "v"))).toThrow(/unfold to far more/);
  });
});
