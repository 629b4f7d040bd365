import { describe, expect, test } from "vitest";
import { FormatError, UnsupportedError } from "../../errors.ts";
import { readRange } from "./byte-range.ts";
import { bytes, i32s, table, u8 } from "./flatbuffer-writer.test-support.ts";
import { floatBytes, memorySource, ptdFile } from "./pte-writer.test-support.ts";
import { readPtd } from "./read-ptd.ts";
import type { PtdFile } from "./read-ptd.ts";

const read = (data: Uint8Array): Promise<PtdFile> => readPtd(memorySource(data, "weights.ptd"));

const layout = table({ 0: u8(6), 1: i32s([1, 2]), 2: bytes([0, 1]) });

describe("data files", () => {
  test("give names to ranges, which are read later", async () => {
    const source = memorySource(
      ptdFile({ a: floatBytes([1, 2]), b: floatBytes([3, 4, 5]) }, layout),
    );
    const { namedData, layouts } = await readPtd(source);
    const tableReads = source.bytesRead;
    expect([...namedData.keys()]).toEqual(["a", "b"]);
    const range = namedData.get("b");
    if (range === undefined) throw new Error("no b");
    expect(new Float32Array((await readRange(range)).buffer)).toEqual(Float32Array.of(3, 4, 5));
    expect(source.bytesRead).toBe(tableReads + 12);
    expect(layouts.get("b")).toEqual({ type: "f32", sizes: [1, 2], dimOrder: [0, 1] });
  });

  test("may leave layouts out", async () => {
    const { layouts } = await read(ptdFile({ a: floatBytes([1]) }));
    expect(layouts.size).toBe(0);
  });

  const file = ptdFile({ a: floatBytes([1]) });
  const changed = (offset: number, ...items: number[]): Uint8Array => {
    const copy = file.slice();
    copy.set(items, offset);
    return copy;
  };

  test.each([
    ["nothing", new Uint8Array(0), /no "FT01" at byte 4/],
    ["another identifier", changed(4, 0x58), /no "FT01"/],
    ["another magic", changed(8, 0x58), /no "FT01" at byte 4 and "FH01" at byte 8/],
    ["a short header", changed(12, 39), /a header of 39 bytes/],
    ["tables past the end", changed(26, 1), /flatbuffer: bytes .* pass the end/],
    ["segments past the end", changed(42, 1), /segments: bytes .* pass the end/],
    ["a truncated file", file.subarray(0, file.length - 1), /segments: bytes .* pass the end/],
    [
      "an area too small for its segments",
      changed(40, 3),
      /segments\[0\]: bytes 0…4 pass the end at 3/,
    ],
    ["data too short", ptdFile({ a: floatBytes([1]) }, layout), /takes 8 bytes of 4/],
  ])("refused: %s", async (_, data, message) => {
    await expect(read(data)).rejects.toThrow(FormatError);
    await expect(read(data)).rejects.toThrow(message);
  });

  test("refused: unknown element types", async () => {
    const data = ptdFile({ a: floatBytes([1]) }, table({ 0: u8(16) }));
    await expect(read(data)).rejects.toThrow(UnsupportedError);
  });
});
