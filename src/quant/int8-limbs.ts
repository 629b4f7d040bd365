/**
 * Activations as two int8 limbs, what the integer GEMV reads. Every 16 values, a group, become 16-bit
 * fixed point with their own scale, x ≈ scale · (256 · h + l), h and l signed bytes. Two groups are a
 * block, because weights are read in blocks of 32; whoever computes 16 outputs can write a group alone.
 *
 * Five planes, each 16 bytes a block, so that lanes that read neighbouring blocks read neighbouring
 * bytes: h of the even elements, h of the odd ones, l even, l odd, and last, of one group and then the
 * other, a sixteenth of the scale (f32) and the sum of the values' squares before a norm's weights
 * (f32). Even and odd are apart because a weight word masked to its low or high nibbles holds just those.
 * A sixteenth, because a nibble is a signed byte in the upper half of that byte: 16 times the weight.
 */
import { RequestError } from "../errors.ts";

/** Values that share a scale. */
export const LIMB_GROUP_SIZE = 16;
/** Values that lie together in each plane, and their bytes in all planes. */
export const LIMB_BLOCK_SIZE = 32;
export const LIMB_BLOCK_BYTES = 80;

/** 127 · 256: the largest integer whose limbs are signed bytes on both sides of zero. */
export const LIMB_LIMIT = 32512;

/** Planes: high limbs of even and odd elements, low ones, then what a group has once. */
const HIGH = 0;
const LOW = 2;
const REST = 4;
/** Bytes of what a group has once, and where they lie. */
const REST_BYTES = 8;
const SCALE = 0;
const SQUARES = 4;
/** The part of the scale that is stored. */
const SCALE_PART = 1 / 16;

/** Packed blocks, by value and group. */
class PackedLimbs {
  readonly values: number;
  readonly #planeBytes: number;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    const blocks = bytes.length / LIMB_BLOCK_BYTES;
    if (!Number.isInteger(blocks)) {
      throw new RequestError(`limbs: ${bytes.length} bytes are not a number of 80-byte blocks`);
    }
    this.values = blocks * LIMB_BLOCK_SIZE;
    this.#planeBytes = this.values / 2;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  #limb(plane: number, k: number): number {
    return (plane + (k & 1)) * this.#planeBytes + (k >> 1);
  }

  #rest(group: number): number {
    return REST * this.#planeBytes + group * REST_BYTES;
  }

  integer(k: number): number {
    return 256 * this.#view.getInt8(this.#limb(HIGH, k)) + this.#view.getInt8(this.#limb(LOW, k));
  }

  setInteger(k: number, integer: number): void {
    const low = ((integer + 128) & 255) - 128;
    this.#view.setInt8(this.#limb(HIGH, k), (integer - low) / 256);
    this.#view.setInt8(this.#limb(LOW, k), low);
  }

  scale(group: number): number {
    return this.#view.getFloat32(this.#rest(group) + SCALE, true) / SCALE_PART;
  }

  squares(group: number): number {
    return this.#view.getFloat32(this.#rest(group) + SQUARES, true);
  }

  setRest(group: number, scale: number, squares: number): void {
    this.#view.setFloat32(this.#rest(group) + SCALE, scale * SCALE_PART, true);
    this.#view.setFloat32(this.#rest(group) + SQUARES, squares, true);
  }
}

/** Packs a vector; its length must be a multiple of 32. The squares are of `unweighted`, if given. */
export function packLimbs(values: Float32Array, unweighted = values): Uint8Array {
  if (values.length % LIMB_BLOCK_SIZE !== 0) {
    throw new RequestError(`limbs: ${values.length} values are not a multiple of 32`);
  }
  const bytes = new Uint8Array((values.length / LIMB_BLOCK_SIZE) * LIMB_BLOCK_BYTES);
  const packed = new PackedLimbs(bytes);
  for (let start = 0; start < values.length; start += LIMB_GROUP_SIZE) {
    const ends = [start, start + LIMB_GROUP_SIZE] as const;
    const x = values.subarray(...ends);
    const scale = scaleFor(x.reduce((most, value) => Math.max(most, Math.abs(value)), 0));
    x.forEach((value, i) => packed.setInteger(start + i, toInteger(value, scale)));
    const squares = unweighted.subarray(...ends).reduce((all, value) => all + value ** 2, 0);
    packed.setRest(start / LIMB_GROUP_SIZE, scale, squares);
  }
  return bytes;
}

/** 2⁻¹⁴⁹. */
const SMALLEST_F32 = 2 ** -149;

/** A scale whose stored part is an f32. */
function scaleFor(largest: number): number {
  if (largest === 0) return 0;
  // The addend is lost in rounding but where f32 is subnormal: a scale cut by much would cut the values.
  return Math.fround((largest / LIMB_LIMIT) * SCALE_PART + SMALLEST_F32) / SCALE_PART;
}

function toInteger(value: number, scale: number): number {
  if (scale === 0) return 0;
  // The rounded scale can be a little smaller than largest / 32512.
  return Math.max(-LIMB_LIMIT, Math.min(LIMB_LIMIT, Math.round(value / scale)));
}

/** The vector that packed blocks stand for, in float64. */
export function unpackLimbs(limbs: Uint8Array): Float64Array {
  const packed = new PackedLimbs(limbs);
  return Float64Array.from(
    { length: packed.values },
    (_, k) => packed.integer(k) * packed.scale(Math.floor(k / LIMB_GROUP_SIZE)),
  );
}

/** What a group has once. */
export interface LimbGroup {
  readonly scale: number;
  /** Σ of the values' squares before a norm's weights. */
  readonly squares: number;
}

/** What packed groups have once each: kernels' packing is checked against it. */
export function limbGroups(limbs: Uint8Array): LimbGroup[] {
  const packed = new PackedLimbs(limbs);
  return Array.from({ length: packed.values / LIMB_GROUP_SIZE }, (_, group) => ({
    scale: packed.scale(group),
    squares: packed.squares(group),
  }));
}
