/**
 * Activations as two int8 limbs, what the integer GEMV reads. Every 32 values become 16-bit fixed
 * point with their own scale, x ≈ scale · (256 · h + l), h and l signed bytes.
 *
 * Five planes, each 16 bytes a group, so that lanes that read neighbouring groups read neighbouring
 * bytes: h of the even elements, h of the odd ones, l even, l odd, and last the scale (f32), 8 · Σ
 * (256 · h + l) (i32), the sum of the values' squares before a norm's weights (f32) and 4 bytes of
 * padding. Even and odd are apart because a weight word masked to its low or high nibbles holds just
 * those. The sum cancels the weights' offset of 8.
 */
import { RequestError } from "../errors.ts";

export const LIMB_GROUP_SIZE = 32;
export const LIMB_GROUP_BYTES = 80;

/** 127 · 256: the largest integer whose limbs are signed bytes on both sides of zero. */
export const LIMB_LIMIT = 32512;

/** Bytes of a group in each plane. */
const PLANE_GROUP_BYTES = 16;
/** Planes: high limbs of even and odd elements, low ones, then what a group has once. */
const HIGH = 0;
const LOW = 2;
const REST = 4;
const SCALE = 0;
const SUM = 4;
const SQUARES = 8;

/** Packed groups, by group and element. */
class PackedGroups {
  readonly groups: number;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.groups = bytes.length / LIMB_GROUP_BYTES;
    if (!Number.isInteger(this.groups)) {
      throw new RequestError(`limbs: ${bytes.length} bytes are not a number of 80-byte groups`);
    }
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  #at(plane: number, group: number): number {
    return (plane * this.groups + group) * PLANE_GROUP_BYTES;
  }

  #limb(plane: number, group: number, element: number): number {
    return this.#at(plane + (element & 1), group) + (element >> 1);
  }

  integer(group: number, element: number): number {
    const high = this.#view.getInt8(this.#limb(HIGH, group, element));
    return 256 * high + this.#view.getInt8(this.#limb(LOW, group, element));
  }

  setInteger(group: number, element: number, integer: number): void {
    const low = ((integer + 128) & 255) - 128;
    this.#view.setInt8(this.#limb(HIGH, group, element), (integer - low) / 256);
    this.#view.setInt8(this.#limb(LOW, group, element), low);
  }

  scale(group: number): number {
    return this.#view.getFloat32(this.#at(REST, group) + SCALE, true);
  }

  sum(group: number): number {
    return this.#view.getInt32(this.#at(REST, group) + SUM, true);
  }

  squares(group: number): number {
    return this.#view.getFloat32(this.#at(REST, group) + SQUARES, true);
  }

  setRest(group: number, scale: number, sum: number, squares: number): void {
    const at = this.#at(REST, group);
    this.#view.setFloat32(at + SCALE, scale, true);
    this.#view.setInt32(at + SUM, sum, true);
    this.#view.setFloat32(at + SQUARES, squares, true);
  }
}

/** Packs a vector; its length must be a multiple of 32. The squares are of `unweighted`, if given. */
export function packLimbs(values: Float32Array, unweighted = values): Uint8Array {
  if (values.length % LIMB_GROUP_SIZE !== 0) {
    throw new RequestError(`limbs: ${values.length} values are not a multiple of 32`);
  }
  const groups = values.length / LIMB_GROUP_SIZE;
  const bytes = new Uint8Array(groups * LIMB_GROUP_BYTES);
  const packed = new PackedGroups(bytes);
  for (let group = 0; group < groups; group++) {
    const ends = [group * LIMB_GROUP_SIZE, (group + 1) * LIMB_GROUP_SIZE] as const;
    const x = values.subarray(...ends);
    const largest = x.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const scale = Math.fround(largest / LIMB_LIMIT);
    let sum = 0;
    x.forEach((value, element) => {
      const integer = toInteger(value, scale);
      packed.setInteger(group, element, integer);
      sum += integer;
    });
    const squares = unweighted.subarray(...ends).reduce((all, value) => all + value ** 2, 0);
    packed.setRest(group, scale, 8 * sum, squares);
  }
  return bytes;
}

function toInteger(value: number, scale: number): number {
  if (scale === 0) return 0;
  // The rounded scale can be a little smaller than largest / 32512.
  return Math.max(-LIMB_LIMIT, Math.min(LIMB_LIMIT, Math.round(value / scale)));
}

/** The vector that packed groups stand for, in float64. */
export function unpackLimbs(limbs: Uint8Array): Float64Array {
  const packed = new PackedGroups(limbs);
  return Float64Array.from({ length: packed.groups * LIMB_GROUP_SIZE }, (_, k) => {
    const group = Math.floor(k / LIMB_GROUP_SIZE);
    return packed.integer(group, k % LIMB_GROUP_SIZE) * packed.scale(group);
  });
}

/** What a group has once. */
export interface LimbGroup {
  readonly scale: number;
  /** 8 · Σ of the group's integers, as stored. */
  readonly sum: number;
  /** The same, of the integers as they are stored. */
  readonly sumOfIntegers: number;
  readonly squares: number;
}

/** What packed groups have once each: kernels' packing is checked against it. */
export function limbGroups(limbs: Uint8Array): LimbGroup[] {
  const packed = new PackedGroups(limbs);
  return Array.from({ length: packed.groups }, (_, group) => {
    let sum = 0;
    for (let i = 0; i < LIMB_GROUP_SIZE; i++) sum += packed.integer(group, i);
    return {
      scale: packed.scale(group),
      sum: packed.sum(group),
      sumOfIntegers: 8 * sum,
      squares: packed.squares(group),
    };
  });
}
