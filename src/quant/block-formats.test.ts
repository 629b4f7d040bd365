import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RequestError } from "../errors.ts";
import { f16BitsToNumber, numberToF16Bits } from "./f16.ts";
import { dequantizeQ4_0, quantizeQ4_0, repackQ4_0 } from "./q4-0.ts";
import { dequantizeQ4Row, quantizeQ4 } from "./q4gsw.ts";
import { dequantizeQ6K } from "./q6-k.ts";
import { dequantizeQ8_0 } from "./q8-0.ts";

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

/** f16 scales that are finite, at the block's first bytes. */
function withScale(block: Uint8Array, at: number, scale: number): Uint8Array {
  new DataView(block.buffer, block.byteOffset).setUint16(at, numberToF16Bits(scale), true);
  return block;
}

describe("Q4_0", () => {
  test("a block by hand", () => {
    const block = withScale(new Uint8Array(18), 0, 0.5);
    for (let i = 0; i < 16; i++) block[2 + i] = i | ((15 - i) << 4);
    const out = new Float32Array(32);
    dequantizeQ4_0(block, out);
    const expected = Array.from({ length: 32 }, (_, i) => ((i < 16 ? i : 31 - i) - 8) / 2);
    expect([...out]).toEqual(expected);
    const { weight, scales } = repackQ4_0(block);
    expect([...scales]).toEqual([0x3800]);
    expect([...weight.subarray(0, 2)]).toEqual([0x10, 0x32]);
    expect([...weight.subarray(8, 10)]).toEqual([0xef, 0xcd]);
  });

  test("repacking loses nothing, from any address", () => {
    fc.assert(
      fc.property(bytes(18 * 4 + 1), (all) => {
        const blocks = all.subarray(1);
        for (let i = 0; i < 4; i++) withScale(blocks.subarray(18 * i), 0, 2 ** (i - 2));
        const { weight, scales } = repackQ4_0(blocks);
        const values = new Float32Array(128);
        dequantizeQ4_0(blocks, values);
        const planes = { rows: 2, columns: 64, groupSize: 32, weight, scales };
        expect([...dequantizeQ4Row(planes, 0), ...dequantizeQ4Row(planes, 1)]).toEqual([...values]);
      }),
    );
  });

  test("quantising to blocks and repacking is quantising to planes", () => {
    const value = fc.float({ noNaN: true, noDefaultInfinity: true, min: -10, max: 10 });
    fc.assert(
      fc.property(fc.array(value, { minLength: 96, maxLength: 96 }), (list) => {
        const values = Float32Array.from(list);
        const repacked = repackQ4_0(quantizeQ4_0(values));
        const planes = quantizeQ4(values, { rows: 1, columns: 96, groupSize: 32 }, "f16");
        expect([...repacked.weight].join()).toBe([...planes.weight].join());
        expect([...repacked.scales].join()).toBe([...planes.scales].join());
      }),
    );
  });

  test("partial blocks and unrepresentable values are refused", () => {
    expect(() => repackQ4_0(new Uint8Array(17))).toThrow(RequestError);
    expect(() => quantizeQ4_0(new Float32Array(33))).toThrow(RequestError);
    expect(() => quantizeQ4_0(new Float32Array(32).fill(NaN))).toThrow(RequestError);
  });
});

test("Q8_0 is a signed byte times the block's scale", () => {
  const blocks = new Uint8Array(68);
  withScale(blocks, 0, 0.25);
  withScale(blocks, 34, -2);
  new Int8Array(blocks.buffer).set([-128, 127, 4], 2);
  new Int8Array(blocks.buffer).set([3], 67);
  const out = new Float32Array(64);
  dequantizeQ8_0(blocks, out);
  expect([...out.subarray(0, 4)]).toEqual([-32, 31.75, 1, 0]);
  expect(out[63]).toBe(-6);
});

describe("Q6_K", () => {
  /** Element e of a super-block, straight from the layout's description, one element at a time. */
  function element(block: Uint8Array, e: number): number {
    const view = new DataView(block.buffer, block.byteOffset, 210);
    const half = Math.floor(e / 128);
    const run = Math.floor((e % 128) / 32);
    const l = e % 32;
    const lowByte = block[64 * half + 32 * (run % 2) + l]!;
    const low = run < 2 ? lowByte % 16 : Math.floor(lowByte / 16);
    const high = Math.floor(block[128 + 32 * half + l]! / 4 ** run) % 4;
    const scale = view.getInt8(192 + Math.floor(e / 16));
    return f16BitsToNumber(view.getUint16(208, true)) * scale * (16 * high + low - 32);
  }

  test("agrees with the layout element by element", () => {
    fc.assert(
      fc.property(bytes(420), (blocks) => {
        withScale(blocks, 208, 0.125);
        withScale(blocks, 418, -0.0625);
        const out = new Float32Array(512);
        dequantizeQ6K(blocks, out);
        const expected = Array.from({ length: 512 }, (_, e) =>
          element(blocks.subarray(e < 256 ? 0 : 210), e % 256),
        );
        // −0 and 0 are alike.
        expect([...out].map((v) => v + 0)).toEqual(expected.map((v) => v + 0));
      }),
      { numRuns: 25 },
    );
  });
});
