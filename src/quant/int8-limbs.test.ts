import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RequestError } from "../errors.ts";
import { LIMB_LIMIT, limbGroups, packLimbs, unpackLimbs } from "./int8-limbs.ts";

describe("int8 limbs", () => {
  test("a block by hand", () => {
    const values = new Float32Array(32);
    values[0] = LIMB_LIMIT; // scale 1: h 127, l 0
    values[1] = -300; // h −1, l −44
    values[14] = 127; // h 0, l 127
    values[15] = 128; // h 1, l −128
    values[30] = -2 * LIMB_LIMIT; // scale 2: h −127, l 0
    const packed = packLimbs(values);
    const signed = new Int8Array(packed.buffer);
    expect(packed.length).toBe(80);
    expect([signed[0], signed[7], signed[15]]).toEqual([127, 0, -127]);
    expect([signed[16], signed[23], signed[31]]).toEqual([-1, 1, 0]);
    expect([signed[32], signed[39], signed[47]]).toEqual([0, 127, 0]);
    expect([signed[48], signed[55], signed[63]]).toEqual([-44, -128, 0]);
    const view = new DataView(packed.buffer);
    expect([view.getFloat32(64, true), view.getFloat32(72, true)]).toEqual([1 / 16, 2 / 16]);
    const squares = Math.fround(LIMB_LIMIT ** 2 + 300 ** 2 + 127 ** 2 + 128 ** 2);
    expect([view.getFloat32(68, true), view.getFloat32(76, true)]).toEqual([
      squares,
      4 * LIMB_LIMIT ** 2,
    ]);
    expect(limbGroups(packed)).toEqual([
      { scale: 1, squares },
      { scale: 2, squares: 4 * LIMB_LIMIT ** 2 },
    ]);
    expect([...unpackLimbs(packed)]).toEqual([...values]);
  });

  test("two blocks lie plane by plane", () => {
    const values = new Float32Array(64);
    values[0] = LIMB_LIMIT;
    values[32] = 2 * LIMB_LIMIT;
    const packed = packLimbs(values);
    expect([packed[0], packed[16]]).toEqual([127, 127]);
    const view = new DataView(packed.buffer);
    expect([view.getFloat32(128, true), view.getFloat32(144, true)]).toEqual([1 / 16, 2 / 16]);
  });

  test("values come back within half a step of their group's scale", () => {
    const value = fc.float({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 });
    fc.assert(
      fc.property(fc.array(value, { minLength: 64, maxLength: 64 }), (list) => {
        const values = Float32Array.from(list);
        const back = unpackLimbs(packLimbs(values));
        for (let group = 0; group < 4; group++) {
          const part = values.subarray(16 * group, 16 * group + 16);
          const largest = Math.max(...part.map(Math.abs));
          // The scale is an f32: what it loses at the largest integer is far below half a step
          // unless it is subnormal.
          const step = largest / LIMB_LIMIT + LIMB_LIMIT * 2 ** -149;
          const off = part.filter((v, i) => !(Math.abs(back[16 * group + i]! - v) <= 0.51 * step));
          expect([...off]).toEqual([]);
        }
      }),
    );
  });

  test("a group of huge values costs the other of its block nothing", () => {
    const tiny = Float32Array.from({ length: 16 }, (_, i) => Math.sin(i));
    const alone = unpackLimbs(packLimbs(Float32Array.of(...new Float32Array(16), ...tiny)));
    const huge = tiny.map((value) => 1e6 * value);
    const beside = unpackLimbs(packLimbs(Float32Array.of(...huge, ...tiny)));
    expect([...alone.subarray(0, 16)]).toEqual(Array(16).fill(0));
    expect([...beside.subarray(16)]).toEqual([...alone.subarray(16)]);
    const off = Math.max(...tiny.map((value, i) => Math.abs(beside[16 + i]! - value)));
    expect(off).toBeLessThan(0.51 / LIMB_LIMIT);
  });

  test("the integer GEMV's identity holds", () => {
    const values = new Float32Array(32).map((_, i) => Math.sin(i * 7) * 3 ** Math.floor(i / 16));
    const packed = packLimbs(values);
    const x = unpackLimbs(packed);
    const groups = limbGroups(packed);
    const nibbles = Array.from({ length: 32 }, (_, i) => (i * 11) % 16);
    const exact = nibbles.reduce((sum, nibble, i) => sum + (nibble - 8) * x[i]!, 0);
    const sums = groups.map(({ scale }, group) => {
      const integers = x.subarray(16 * group, 16 * group + 16).map((value) => value / scale);
      return integers.reduce((sum, integer, i) => {
        // As a signed byte, the nibble in the high half of a byte with its first bit turned.
        const [byte = 0] = Int8Array.of((nibbles[16 * group + i]! << 4) ^ 0x80);
        return sum + byte * integer;
      }, 0);
    });
    for (const sum of sums) expect(Math.fround(sum)).toBe(sum);
    const result = groups.reduce((sum, { scale }, group) => sum + (scale / 16) * sums[group]!, 0);
    expect(result).toBeCloseTo(exact, 9);
  });

  test("partial blocks are refused", () => {
    expect(() => packLimbs(new Float32Array(16))).toThrow(RequestError);
    expect(() => unpackLimbs(new Uint8Array(81))).toThrow(RequestError);
  });
});
