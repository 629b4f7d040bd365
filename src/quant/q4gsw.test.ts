import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RequestError } from "../errors.ts";
import { f16BitsToNumber } from "./f16.ts";
import {
  dequantizeQ4,
  dequantizeQ4Row,
  packQ4,
  q4RowBytes,
  quantizeQ4,
  quantizeQ4Groups,
  transposeScales,
  unpackQ4,
} from "./q4gsw.ts";

const finite = fc.float({ noNaN: true, noDefaultInfinity: true, min: -1000, max: 1000 });

describe("packed rows", () => {
  test("byte j holds k = 2j low and 2j + 1 high; rows are padded with nibble 8", () => {
    const values = new Int8Array([-8, 7, 0, 1, -1, 2, /* row 1 */ 1, 2, 3, 4, 5, 6]);
    expect(q4RowBytes(6)).toBe(4);
    expect([...packQ4(values, 2, 6)]).toEqual([0xf0, 0x98, 0xa7, 0x88, 0xa9, 0xcb, 0xed, 0x88]);
  });

  test("packing and unpacking are inverse for any shape", () => {
    const shape = fc.record({ rows: fc.integer({ min: 1, max: 5 }), columns: fc.nat({ max: 41 }) });
    const matrix = shape.chain(({ rows, columns }) =>
      fc.record({
        rows: fc.constant(rows),
        columns: fc.constant(columns),
        values: fc.array(fc.integer({ min: -8, max: 7 }), {
          minLength: rows * columns,
          maxLength: rows * columns,
        }),
      }),
    );
    fc.assert(
      fc.property(matrix, ({ rows, columns, values }) => {
        const packed = packQ4(Int8Array.from(values), rows, columns);
        expect(packed.length).toBe(rows * q4RowBytes(columns));
        expect([...unpackQ4(packed, rows, columns)]).toEqual(values);
      }),
    );
  });

  test("values outside 4 bits and wrong lengths are refused", () => {
    expect(() => packQ4(new Int8Array([8]), 1, 1)).toThrow(RequestError);
    expect(() => packQ4(new Int8Array(3), 2, 2)).toThrow(RequestError);
    expect(() => unpackQ4(new Uint8Array(3), 1, 8)).toThrow(RequestError);
  });
});

describe("quantising", () => {
  test("the value of largest magnitude becomes −8 or is met exactly", () => {
    const values = new Float32Array(32).map((_, i) => i - 20);
    const { weight, scales } = quantizeQ4(values, { rows: 1, columns: 32, groupSize: 32 }, "f32");
    expect(scales[0]).toBe(2.5);
    // ⌊v / 2.5 + 8.5⌋ for −20, −19 and 11.
    expect(weight[0]! & 15).toBe(0);
    expect(weight[0]! >> 4).toBe(0);
    expect(weight[15]! >> 4).toBe(12);
  });

  test.each(["f16", "f32"] as const)("%s scales: within a step of every value", (scaleType) => {
    const input = fc.array(finite, { minLength: 64, maxLength: 64 });
    fc.assert(
      fc.property(input, (list) => {
        const values = Float32Array.from(list);
        const shape = { rows: 2, columns: 32, groupSize: 16 };
        const planes = quantizeQ4(values, shape, scaleType);
        const back = dequantizeQ4(planes);
        // Half a step, but a whole one at the clamped end (+8 becomes +7); f16 adds its rounding.
        const off = values.filter((value, i) => {
          const stored = planes.scales[Math.floor(i / 16)]!;
          const step = Math.abs(scaleType === "f16" ? f16BitsToNumber(stored) : stored);
          return !(Math.abs(back[i]! - value) <= step * 1.01 + 2 ** -21);
        });
        expect([...off]).toEqual([]);
      }),
    );
  });

  test("groups of zeros are zeros", () => {
    const planes = quantizeQ4(new Float32Array(32), { rows: 1, columns: 32, groupSize: 32 }, "f16");
    expect(planes.weight.every((byte) => byte === 0x88)).toBe(true);
    expect(dequantizeQ4Row(planes, 0).every((value) => value === 0)).toBe(true);
  });

  test("counts the groups that cannot be represented", () => {
    const bad = [NaN, Infinity, -Infinity, 8 * 65536];
    for (const value of bad) {
      const values = new Float32Array(64);
      values[40] = value;
      const count = quantizeQ4Groups(values, 32, new Uint8Array(32), new Uint16Array(2));
      expect(count).toBe(1);
    }
    const large = new Float32Array(32).fill(8 * 65536);
    expect(quantizeQ4Groups(large, 32, new Uint8Array(16), new Float32Array(1))).toBe(0);
    const shape = { rows: 1, columns: 32, groupSize: 32 };
    expect(() => quantizeQ4(large, shape, "f16")).toThrow(RequestError);
  });

  test("columns must be whole groups, groups whole bytes", () => {
    const values = new Float32Array(48);
    expect(() => quantizeQ4(values, { rows: 1, columns: 48, groupSize: 32 }, "f32")).toThrow(
      "48 columns are not a multiple of the group 32",
    );
    expect(() => quantizeQ4(values, { rows: 1, columns: 48, groupSize: 3 }, "f32")).toThrow(
      RequestError,
    );
  });
});

test("a row in float64 is nibble − 8 times its group's scale", () => {
  const planes = {
    rows: 2,
    columns: 4,
    groupSize: 2,
    weight: new Uint8Array([0x00, 0x00, 0x88, 0x88, 0x9f, 0x70, 0x88, 0x88]),
    scales: new Float32Array([9, 9, 0.5, -2]),
  };
  expect([...dequantizeQ4Row(planes, 1)]).toEqual([3.5, 0.5, 16, 2]);
});

test("transposed scales lose ExecuTorch's padding", () => {
  const groups = 3;
  const rows = 130;
  const stride = 132;
  const source = new Float32Array(stride * groups).fill(-1);
  for (let group = 0; group < groups; group++) {
    for (let row = 0; row < rows; row++) source[group * stride + row] = row * 10 + group;
  }
  const expected = Array.from({ length: rows * groups }, (_, i) => {
    return Math.floor(i / groups) * 10 + (i % groups);
  });
  expect([...transposeScales(source, rows, groups)]).toEqual(expected);
  expect(() => transposeScales(source.subarray(1), rows, groups)).toThrow(RequestError);
});
