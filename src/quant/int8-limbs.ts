/**
 * Activations as two int8 limbs, what the integer GEMV reads. Every 32 values become 16-bit fixed
 * point with their own scale, x ≈ scale · (256 · h + l), h and l signed bytes.
 *
 * A group is 80 bytes: h of the even elements (16 B), h of the odd ones, l even, l odd, the scale
 * (f32), 8 · Σ (256 · h + l) (i32), 8 bytes of padding. Even and odd are apart because a weight word
 * masked to its low or high nibbles holds just those. The sum cancels the weights' offset of 8.
 */
import { RequestError } from "../errors.ts";

export const LIMB_GROUP_SIZE = 32;
export const LIMB_GROUP_BYTES = 80;

/** 127 · 256: the largest integer whose limbs are signed bytes on both sides of zero. */
export const LIMB_LIMIT = 32512;

const ODD = 16;
const LOW = 32;
const SCALE = 64;
const SUM = 68;

/** Packs a vector; its length must be a multiple of 32. */
export function packLimbs(values: Float32Array): Uint8Array {
  if (values.length % LIMB_GROUP_SIZE !== 0) {
    throw new RequestError(`limbs: ${values.length} values are not a multiple of 32`);
  }
  const groups = values.length / LIMB_GROUP_SIZE;
  const view = new DataView(new ArrayBuffer(groups * LIMB_GROUP_BYTES));
  for (let group = 0; group < groups; group++) {
    const base = group * LIMB_GROUP_BYTES;
    const x = values.subarray(group * LIMB_GROUP_SIZE, (group + 1) * LIMB_GROUP_SIZE);
    const largest = x.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const scale = Math.fround(largest / LIMB_LIMIT);
    let sum = 0;
    x.forEach((value, k) => {
      const integer = toInteger(value, scale);
      const low = ((integer + 128) & 255) - 128;
      const at = base + (k >> 1) + (k & 1) * ODD;
      view.setInt8(at, (integer - low) / 256);
      view.setInt8(at + LOW, low);
      sum += integer;
    });
    view.setFloat32(base + SCALE, scale, true);
    view.setInt32(base + SUM, 8 * sum, true);
  }
  return new Uint8Array(view.buffer);
}

function toInteger(value: number, scale: number): number {
  if (scale === 0) return 0;
  // The rounded scale can be a little smaller than largest / 32512.
  return Math.max(-LIMB_LIMIT, Math.min(LIMB_LIMIT, Math.round(value / scale)));
}

/** The vector that packed groups stand for, in float64. */
export function unpackLimbs(limbs: Uint8Array): Float64Array {
  const view = new DataView(limbs.buffer, limbs.byteOffset, limbs.byteLength);
  const groups = limbs.length / LIMB_GROUP_BYTES;
  if (!Number.isInteger(groups)) {
    throw new RequestError(`limbs: ${limbs.length} bytes are not a number of 80-byte groups`);
  }
  const out = new Float64Array(groups * LIMB_GROUP_SIZE);
  for (let k = 0; k < out.length; k++) {
    const base = Math.floor(k / LIMB_GROUP_SIZE) * LIMB_GROUP_BYTES;
    const within = k % LIMB_GROUP_SIZE;
    const at = base + (within >> 1) + (within & 1) * ODD;
    const integer = 256 * view.getInt8(at) + view.getInt8(at + LOW);
    out[k] = integer * view.getFloat32(base + SCALE, true);
  }
  return out;
}

/** The stored 8 · Σ of each group: kernels' packing is checked against it. */
export function limbSums(limbs: Uint8Array): Int32Array {
  const view = new DataView(limbs.buffer, limbs.byteOffset, limbs.byteLength);
  return Int32Array.from({ length: Math.floor(limbs.length / LIMB_GROUP_BYTES) }, (_, group) =>
    view.getInt32(group * LIMB_GROUP_BYTES + SUM, true),
  );
}
