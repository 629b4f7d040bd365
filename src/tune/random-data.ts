import type { Dtype } from "../graph/ir.ts";
import type { OperandEncoding } from "../kernels/shared/tunable.ts";

/**
 * Words of a tile that is repeated over a buffer: a prime number, so that no two rows of a matrix
 * are alike whose distance is a round number.
 */
export const TILE_WORDS = 131_071;

/** Bits of a float that stay random: sign and mantissa, so that magnitudes stay within one binade. */
const F32_FREE_BITS = 0x807fffff;
const F16_PAIR_FREE_BITS = 0x83ff83ff;

function exponentBits(magnitude: number, bias: number, mantissaBits: number): number {
  return (Math.floor(Math.log2(magnitude)) + bias) << mantissaBits;
}

/** What a word of random bits becomes. */
function masks(dtype: Dtype, magnitude: number): { readonly keep: number; readonly set: number } {
  switch (dtype) {
    case "f32":
      return { keep: F32_FREE_BITS, set: exponentBits(magnitude, 127, 23) };
    case "f16": {
      const one = exponentBits(magnitude, 15, 10);
      return { keep: F16_PAIR_FREE_BITS, set: one | (one << 16) };
    }
    case "bool":
      return { keep: 0x01010101, set: 0 };
    // An index or a position; those that matter are given.
    case "i32":
      return { keep: 0, set: 0 };
    case "i8":
    case "u8":
      return { keep: -1, set: 0 };
    default:
      throw new Error(`tune: ${String(dtype satisfies never)}`);
  }
}

/**
 * `words` words of reproducible random values: floats of either sign from `magnitude` to twice that,
 * bytes of any bits. The generator is xorshift32 (Marsaglia, 2003).
 */
export function randomBytes(
  words: number,
  dtype: Dtype,
  magnitude: number,
  seed: number,
): Uint8Array<ArrayBuffer> {
  const { keep, set } = masks(dtype, magnitude);
  const result = new Uint32Array(words);
  let state = seed;
  for (let i = 0; i < words; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    result[i] = (state & keep) | set;
  }
  return new Uint8Array(result.buffer);
}

/** Random floats as an operand holds them. */
export function encodedBytes(
  { valuesIn, encode }: OperandEncoding,
  bytes: number,
  magnitude: number,
  seed: number,
): Uint8Array<ArrayBuffer> {
  const values = new Float32Array(randomBytes(valuesIn(bytes), "f32", magnitude, seed).buffer);
  return new Uint8Array(encode(values));
}
