/**
 * GGML's Q6_K: super-blocks of 256 weights in 210 bytes. 128 bytes hold the lower four bits, 64 the
 * upper two, 16 signed bytes a scale for each 16 weights, and an f16 d scales those;
 * value = d · scale · (q − 32).
 */
import { f16BitsToNumber } from "./f16.ts";

export const Q6_K_BLOCK_SIZE = 256;
export const Q6_K_BLOCK_BYTES = 210;

const HIGH_BITS = 128;
const SCALES = 192;
const SUPER_SCALE = 208;

/**
 * Widens super-blocks to f32, 256 values a block, into `out`.
 *
 * Each half of a super-block is 128 weights as four runs of 32. Runs 0 and 1 are the low nibbles of
 * 64 bytes, runs 2 and 3 their high nibbles; byte l of the half's 32 upper-bit bytes holds the two
 * upper bits of element l of run r at bit 2r. Scale 2r + l / 16 belongs to it.
 */
export function dequantizeQ6K(blocks: Uint8Array, out: Float32Array): void {
  const view = new DataView(blocks.buffer, blocks.byteOffset, blocks.byteLength);
  const count = Math.floor(blocks.length / Q6_K_BLOCK_BYTES);
  for (let block = 0; block < count; block++) {
    const from = block * Q6_K_BLOCK_BYTES;
    const d = f16BitsToNumber(view.getUint16(from + SUPER_SCALE, true));
    for (let half = 0; half < 2; half++) {
      for (let run = 0; run < 4; run++) {
        const low = from + half * 64 + (run & 1) * 32;
        const high = from + HIGH_BITS + half * 32;
        const scales = from + SCALES + half * 8 + run * 2;
        const to = block * Q6_K_BLOCK_SIZE + half * 128 + run * 32;
        const lowShift = (run >> 1) * 4;
        const highShift = run * 2;
        const scale0 = d * view.getInt8(scales);
        const scale1 = d * view.getInt8(scales + 1);
        for (let l = 0; l < 32; l++) {
          const q =
            ((blocks[low + l]! >> lowShift) & 15) | (((blocks[high + l]! >> highShift) & 3) << 4);
          out[to + l] = (l < 16 ? scale0 : scale1) * (q - 32);
        }
      }
    }
  }
}
