/** GGML's Q8_0: blocks of 32 weights in 34 bytes, an f16 scale d and 32 signed bytes; value = q · d. */
import { f16BitsToNumber } from "./f16.ts";

export const Q8_0_BLOCK_SIZE = 32;
export const Q8_0_BLOCK_BYTES = 34;

/** Widens blocks to f32, 32 values a block, into `out`. */
export function dequantizeQ8_0(blocks: Uint8Array, out: Float32Array): void {
  const view = new DataView(blocks.buffer, blocks.byteOffset, blocks.byteLength);
  const bytes = new Int8Array(blocks.buffer, blocks.byteOffset, blocks.byteLength);
  const count = Math.floor(blocks.length / Q8_0_BLOCK_BYTES);
  for (let block = 0; block < count; block++) {
    const from = block * Q8_0_BLOCK_BYTES;
    const to = block * Q8_0_BLOCK_SIZE;
    const scale = f16BitsToNumber(view.getUint16(from, true));
    for (let i = 0; i < Q8_0_BLOCK_SIZE; i++) out[to + i] = bytes[from + 2 + i]! * scale;
  }
}
