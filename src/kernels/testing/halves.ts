import { f16ToF32, f32ToF16 } from "../../quant/f16.ts";
import { areHalves } from "../shared/halves.ts";

/** Place of a value among the eight of a vector: pairs k and k + 4. */
const place = (k: number): number => (k < 4 ? 2 * k : 2 * (k - 4) + 1);

/** Where value k of row m of [M, K] is. */
const indexOf = (m: number, k: number, M: number): number => 8 * ((k >> 3) * M + m) + place(k & 7);

/** Rows [M, K] as kernels on subgroup matrices take them (shared/halves.ts). */
export function packHalves(values: Float32Array, K: number): Uint16Array | Float32Array {
  const M = values.length / K;
  if (!areHalves(M)) return values;
  const bits = f32ToF16(values);
  const packed = new Uint16Array(values.length);
  bits.forEach((half, i) => (packed[indexOf(Math.floor(i / K), i % K, M)] = half));
  return packed;
}

/** The rows [M, K] of what a kernel wrote, which may be longer. */
export function unpackHalves(bytes: ArrayBuffer, M: number, K: number): Float32Array {
  if (!areHalves(M)) return new Float32Array(bytes, 0, M * K);
  const numbers = f16ToF32(new Uint16Array(bytes, 0, M * K));
  return Float32Array.from({ length: M * K }, (_, i) => {
    return numbers[indexOf(Math.floor(i / K), i % K, M)] ?? Number.NaN;
  });
}
