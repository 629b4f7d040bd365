import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  asUint16,
  bf16ToF32,
  f16BitsToNumber,
  f16ToF32,
  f32ToBf16,
  f32ToF16,
  numberToF16Bits,
} from "./f16.ts";

const ALL_BITS = Uint16Array.from({ length: 65536 }, (_, bits) => bits);
const isNan = (bits: number) => (bits & 0x7fff) > 0x7c00;

describe("f16", () => {
  test("known values", () => {
    const known: readonly (readonly [number, number])[] = [
      [0x0000, 0],
      [0x8000, -0],
      [0x3c00, 1],
      [0xc000, -2],
      [0x7bff, 65504],
      [0x0400, 2 ** -14],
      [0x0001, 2 ** -24],
      [0x03ff, 1023 * 2 ** -24],
      [0x3555, 0.333251953125],
      [0x7c00, Infinity],
      [0xfc00, -Infinity],
    ];
    for (const [bits, value] of known) {
      expect(f16BitsToNumber(bits)).toBe(value);
      expect(numberToF16Bits(value)).toBe(bits);
    }
    expect(f16BitsToNumber(0x7e01)).toBeNaN();
    expect(isNan(numberToF16Bits(NaN))).toBe(true);
  });

  test("every pattern survives the way through f32", () => {
    const back = f32ToF16(f16ToF32(ALL_BITS));
    const changed = [...ALL_BITS].filter((bits) => !isNan(bits) && back[bits] !== bits);
    expect(changed).toEqual([]);
    expect([...ALL_BITS].filter(isNan).every((bits) => isNan(back[bits]!))).toBe(true);
  });

  test("rounds to nearest, ties to even, between any two neighbours", () => {
    for (let bits = 0; bits < 0x7bff; bits++) {
      const low = f16BitsToNumber(bits);
      const high = f16BitsToNumber(bits + 1);
      const middle = (low + high) / 2;
      const even = bits % 2 === 0 ? bits : bits + 1;
      const found = [middle - (high - low) / 1024, middle, middle + (high - low) / 1024].map(
        numberToF16Bits,
      );
      if (found[0] !== bits || found[1] !== even || found[2] !== bits + 1) {
        expect([bits, ...found]).toEqual([bits, bits, even, bits + 1]);
      }
    }
  });

  test("overflows to infinity from 65520 on", () => {
    expect(numberToF16Bits(65519.99)).toBe(0x7bff);
    expect(numberToF16Bits(65520)).toBe(0x7c00);
    expect(numberToF16Bits(-1e30)).toBe(0xfc00);
    expect(numberToF16Bits(2 ** -25)).toBe(0);
    expect(numberToF16Bits(-1e-40)).toBe(0x8000);
  });
});

describe("bf16", () => {
  test("every pattern survives the way through f32", () => {
    const back = f32ToBf16(bf16ToF32(ALL_BITS));
    const changed = [...ALL_BITS].filter(
      (bits) => back[bits] !== bits && (bits & 0x7fff) <= 0x7f80,
    );
    expect(changed).toEqual([]);
  });

  test("rounds to nearest, ties to even", () => {
    const values = new Float32Array([1 + 2 ** -8, 1 + 3 * 2 ** -8, 1 + 2 ** -8 + 2 ** -20]);
    expect([...f32ToBf16(values)]).toEqual([0x3f80, 0x3f82, 0x3f81]);
    const nan = new Float32Array(new Uint32Array([0x7f800001]).buffer);
    expect((f32ToBf16(nan)[0]! & 0x7fff) > 0x7f80).toBe(true);
  });

  test("is within half a step of any finite f32", () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, min: -(2 ** 126), max: 2 ** 126 }), (value) => {
        const near = bf16ToF32(f32ToBf16(new Float32Array([value])))[0]!;
        expect(Math.abs(near - value)).toBeLessThanOrEqual(
          Math.max(Math.abs(value) * 2 ** -8, 2 ** -134),
        );
      }),
    );
  });
});

test("asUint16 reads words from odd addresses", () => {
  const bytes = new Uint8Array([9, 1, 2, 3, 4]);
  expect([...asUint16(bytes.subarray(1))]).toEqual([0x0201, 0x0403]);
  expect([...asUint16(bytes.subarray(0, 4))]).toEqual([0x0109, 0x0302]);
});
