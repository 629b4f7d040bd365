import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RequestError } from "../errors.ts";
import { LIMB_LIMIT, limbGroups, packLimbs, unpackLimbs } from "./int8-limbs.ts";

describe("int8 limbs", () => {
  test("a group by hand", () => {
    const values = new Float32Array(32);
    values[0] = LIMB_LIMIT; // scale 1: h 127, l 0
    values[1] = -300; // h −1, l −44
    values[30] = 127; // h 0, l 127
    values[31] = 128; // h 1, l −128
    const packed = packLimbs(values);
    const signed = new Int8Array(packed.buffer);
    expect(packed.length).toBe(80);
    expect([signed[0], signed[15]]).toEqual([127, 0]);
    expect([signed[16], signed[31]]).toEqual([-1, 1]);
    expect([signed[32], signed[47]]).toEqual([0, 127]);
    expect([signed[48], signed[63]]).toEqual([-44, -128]);
    const view = new DataView(packed.buffer);
    expect(view.getFloat32(64, true)).toBe(1);
    const [group] = limbGroups(packed);
    expect(group?.sum).toBe(8 * (LIMB_LIMIT - 300 + 127 + 128));
    expect(group?.sumOfIntegers).toBe(group?.sum);
    expect(group?.squares).toBe(Math.fround(LIMB_LIMIT ** 2 + 300 ** 2 + 127 ** 2 + 128 ** 2));
    expect([...packed.subarray(76)]).toEqual(Array(4).fill(0));
    expect([...unpackLimbs(packed)]).toEqual([...values]);
  });

  test("two groups lie plane by plane", () => {
    const values = new Float32Array(64);
    values[0] = LIMB_LIMIT;
    values[32] = 2 * LIMB_LIMIT;
    const packed = packLimbs(values);
    expect([packed[0], packed[16]]).toEqual([127, 127]);
    const view = new DataView(packed.buffer);
    expect([view.getFloat32(128, true), view.getFloat32(144, true)]).toEqual([1, 2]);
  });

  test("values come back within half a step of their group's scale", () => {
    const value = fc.float({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 });
    fc.assert(
      fc.property(fc.array(value, { minLength: 64, maxLength: 64 }), (list) => {
        const values = Float32Array.from(list);
        const back = unpackLimbs(packLimbs(values));
        for (let group = 0; group < 2; group++) {
          const part = values.subarray(32 * group, 32 * group + 32);
          const largest = Math.max(...part.map(Math.abs));
          // The scale is an f32: what it loses at the largest integer is far below half a step
          // unless it is subnormal.
          const step = largest / LIMB_LIMIT + LIMB_LIMIT * 2 ** -149;
          const off = part.filter((v, i) => !(Math.abs(back[32 * group + i]! - v) <= 0.51 * step));
          expect([...off]).toEqual([]);
        }
      }),
    );
  });

  test("the integer GEMV's identity holds", () => {
    const values = new Float32Array(32).map((_, i) => Math.sin(i * 7) * 3);
    const packed = packLimbs(values);
    const x = unpackLimbs(packed);
    const [{ scale, sum } = { scale: 0, sum: 0 }] = limbGroups(packed);
    const nibbles = Array.from({ length: 32 }, (_, i) => (i * 11) % 16);
    const exact = nibbles.reduce((sum, nibble, i) => sum + (nibble - 8) * x[i]!, 0);
    const integer = nibbles.reduce((sum, nibble, i) => sum + nibble * (x[i]! / scale), 0);
    expect(scale * (integer - sum)).toBeCloseTo(exact, 9);
  });

  test("partial groups are refused", () => {
    expect(() => packLimbs(new Float32Array(31))).toThrow(RequestError);
    expect(() => unpackLimbs(new Uint8Array(81))).toThrow(RequestError);
  });
});
