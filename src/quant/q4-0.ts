/**
 * GGML's Q4_0: blocks of 32 weights in 18 bytes, an f16 scale d and then 16 bytes. Element i lies in
 * the low nibble of byte i, element i + 16 in its high nibble; value = (nibble − 8) · d. That is
 * `q4gsw` with a group of 32 in another order, so that repacking loses nothing.
 */
import { RequestError } from "../errors.ts";
import { asUint16, f16BitsToNumber } from "./f16.ts";
import { quantizeQ4Groups } from "./q4gsw.ts";

export const Q4_0_BLOCK_SIZE = 32;
export const Q4_0_BLOCK_BYTES = 18;

/** 18 bytes are nine u16 words: the scale and eight of nibbles. */
const BLOCK_WORDS = 9;

/**
 * Repacks blocks into q4gsw planes: 16 weight bytes and one f16 scale a block. As K is a multiple of
 * 32, rows follow one another without padding, and any run of blocks can be repacked at once.
 */
export function repackQ4_0(blocks: Uint8Array): { weight: Uint8Array; scales: Uint16Array } {
  const count = blocks.length / Q4_0_BLOCK_BYTES;
  if (!Number.isInteger(count)) {
    throw new RequestError(`Q4_0: ${blocks.length} bytes are not a number of 18-byte blocks`);
  }
  const words = asUint16(blocks);
  const weight = new Uint32Array(count * 4);
  const scales = new Uint16Array(count);
  for (let block = 0; block < count; block++) {
    const from = block * BLOCK_WORDS;
    const to = block * 4;
    scales[block] = words[from]!;
    for (let half = 0; half < 2; half++) {
      // Bytes 8·half … 8·half + 7 of the block: their low nibbles are elements 8·half … +7, which
      // are output word `half`; their high nibbles are 16 elements further, output word 2 + half.
      const word = from + 1 + half * 4;
      const a = words[word]! | (words[word + 1]! << 16);
      const b = words[word + 2]! | (words[word + 3]! << 16);
      weight[to + half] = gather(a) | (gather(b) << 16);
      weight[to + half + 2] = gather(a >>> 4) | (gather(b >>> 4) << 16);
    }
  }
  return { weight: new Uint8Array(weight.buffer), scales };
}

/** The low nibbles of a word's four bytes, moved together into 16 bits. */
function gather(word: number): number {
  const pairs = (word & 0x000f000f) | ((word >>> 4) & 0x00f000f0);
  return (pairs | (pairs >>> 8)) & 0xffff;
}

/** Widens blocks to f32, 32 values a block, into `out`. */
export function dequantizeQ4_0(blocks: Uint8Array, out: Float32Array): void {
  const words = asUint16(blocks);
  const count = Math.floor(words.length / BLOCK_WORDS);
  for (let block = 0; block < count; block++) {
    const from = block * BLOCK_WORDS;
    const to = block * Q4_0_BLOCK_SIZE;
    const scale = f16BitsToNumber(words[from]!);
    for (let i = 0; i < 8; i++) {
      const word = words[from + 1 + i]!;
      out[to + 2 * i] = ((word & 15) - 8) * scale;
      out[to + 2 * i + 1] = (((word >> 8) & 15) - 8) * scale;
      out[to + 16 + 2 * i] = (((word >> 4) & 15) - 8) * scale;
      out[to + 17 + 2 * i] = ((word >> 12) - 8) * scale;
    }
  }
}

/**
 * Quantises values, a multiple of 32 of them, to blocks. Throws `RequestError` on values that are
 * not finite or that overflow an f16 scale.
 */
export function quantizeQ4_0(values: Float32Array): Uint8Array {
  const count = values.length / Q4_0_BLOCK_SIZE;
  if (!Number.isInteger(count)) {
    throw new RequestError(`Q4_0: ${values.length} values are not a multiple of 32`);
  }
  const weight = new Uint8Array(count * 16);
  const scales = new Uint16Array(count);
  if (quantizeQ4Groups(values, Q4_0_BLOCK_SIZE, weight, scales) > 0) {
    throw new RequestError("Q4_0: the values hold NaN, infinity or too large a value");
  }
  const blocks = new Uint8Array(count * Q4_0_BLOCK_BYTES);
  const view = new DataView(blocks.buffer);
  for (let block = 0; block < count; block++) {
    const to = block * Q4_0_BLOCK_BYTES;
    view.setUint16(to, scales[block] ?? 0, true);
    for (let i = 0; i < 16; i++) {
      // Elements i and i + 16 lie in the same half of weight bytes i / 2 and i / 2 + 8.
      const shift = 4 * (i & 1);
      const low = ((weight[block * 16 + (i >> 1)] ?? 0) >> shift) & 15;
      const high = ((weight[block * 16 + 8 + (i >> 1)] ?? 0) >> shift) & 15;
      blocks[to + 2 + i] = low | (high << 4);
    }
  }
  return blocks;
}
