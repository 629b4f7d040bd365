import { describe, expect, test } from "vitest";
import { f32ToF16 } from "../../quant/f16.ts";
import { transposeScales } from "../../quant/q4gsw.ts";
import { memorySource } from "../../memory-source.ts";
import type { ByteSource } from "../../byte-source.ts";
import type { ByteRange } from "./byte-range.ts";
import { plainRows } from "./plain-rows.ts";
import { q4Rows } from "./q4-rows.ts";

function range(array: ArrayBufferView): ByteRange {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  return { source: memorySource(bytes), offset: 0, byteLength: bytes.length };
}

/** Counts reads. */
function counted(source: ByteSource): { readonly source: ByteSource; readonly reads: number[] } {
  const reads: number[] = [];
  return {
    reads,
    source: {
      ...source,
      read: (offset, length, signal) => {
        reads.push(length);
        return source.read(offset, length, signal);
      },
    },
  };
}

describe("dense constants", () => {
  test("of every type, by rows", async () => {
    const floats = Float32Array.of(1, -2, 0.5, 4, 5, 6);
    const cases = [
      [range(floats), "f32", "f32", Float32Array.of(0.5, 4, 5, 6)],
      [range(f32ToF16(floats)), "f16", "f32", Float32Array.of(0.5, 4, 5, 6)],
      [range(floats), "f32", "f16", f32ToF16(Float32Array.of(0.5, 4, 5, 6))],
      [range(Float64Array.from(floats)), "f64", "f32", Float32Array.of(0.5, 4, 5, 6)],
      [range(BigInt64Array.of(1n, 2n, -3n, 4n, 5n, 6n)), "i64", "i32", Int32Array.of(-3, 4, 5, 6)],
      [range(Int8Array.of(1, 2, -3, 4, 5, 6)), "i8", "i8", Int8Array.of(-3, 4, 5, 6)],
    ] as const;
    for (const [bytes, stored, target, expected] of cases) {
      const source = plainRows(bytes, [3, 2], stored, target);
      expect(source.rows).toBe(3);
      const [plane] = await source.read(1, 2);
      expect(plane).toEqual(new Uint8Array(expected.buffer));
      expect(plane?.length).toBe(2 * source.planeRowBytes[0]!);
    }
  });

  test("a 64-bit integer that does not fit is refused", async () => {
    const source = plainRows(range(BigInt64Array.of(2n ** 31n)), [1], "i64", "i32");
    await expect(source.read(0, 1)).rejects.toThrow(/2147483648 does not fit 32 bits/);
  });

  test("a scalar is one row", async () => {
    const source = plainRows(range(Float32Array.of(3)), [], "f32", "f32");
    expect(source.rows).toBe(1);
    expect(await source.read(0, 1)).toEqual([new Uint8Array(Float32Array.of(3).buffer)]);
  });
});

describe("transposed scales", () => {
  const [rows, groups, stride] = [10, 3, 12];
  const stored = Float32Array.from({ length: groups * stride }, (_, i) => i);
  const expected = transposeScales(stored, rows, groups);
  const weight = Uint8Array.from({ length: rows * 4 }, (_, i) => i);

  test.each([
    ["held at once", 2 ** 20, [144]],
    ["read by group", 16, [16, 16, 16, 16, 16, 16, 8, 8, 8]],
  ])("%s", async (_, maxHeldBytes, expectedReads) => {
    const scales = range(stored);
    const { source, reads } = counted(scales.source);
    const data = q4Rows(
      {
        weight: range(weight),
        scales: { ...scales, source },
        rows,
        weightRowBytes: 4,
        groups,
        scaleBytes: 4,
        stride,
      },
      maxHeldBytes,
    );
    expect(data.planeRowBytes).toEqual([4, 12]);
    for (const [start, count] of [
      [0, 4],
      [4, 4],
      [8, 2],
    ] as const) {
      const [packed, plane] = await data.read(start, count);
      expect(packed).toEqual(weight.slice(4 * start, 4 * (start + count)));
      const wanted = expected.slice(groups * start, groups * (start + count));
      expect(new Float32Array(plane!.buffer)).toEqual(wanted);
    }
    expect(reads).toEqual(expectedReads);
  });

  test("row-major ones pass through", async () => {
    const data = q4Rows({
      weight: range(weight),
      scales: range(expected),
      rows,
      weightRowBytes: 4,
      groups,
      scaleBytes: 4,
      stride: undefined,
    });
    const [, plane] = await data.read(2, 3);
    expect(new Float32Array(plane!.buffer)).toEqual(expected.slice(6, 15));
  });
});
