/**
 * Half-precision floats as bits. Conversions to the narrow types round to nearest, ties to even, and
 * are free of scratch state. Typed-array views assume a little-endian machine, as WebGPU does.
 */

/** f16 exponent field e stands for 2^(e − 25) times the 11-bit significand; field 0 like field 1. */
const F16_STEP: readonly number[] = Array.from(
  { length: 31 },
  (_, e) => 2 ** (Math.max(e, 1) - 25),
);

/** 1.5 × 2^52: adding and subtracting it rounds a double below 2^51 to an integer, ties to even. */
const ROUND = 6755399441055744;

/** Largest f16. From 65520 on, halfway to the next power of two, values round to infinity. */
export const F16_MAX = 65504;
const F16_OVERFLOW = 65520;

/** The number that f16 bits stand for. */
export function f16BitsToNumber(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  let magnitude: number;
  if (exponent === 31) magnitude = fraction === 0 ? Infinity : NaN;
  else magnitude = (exponent === 0 ? fraction : fraction + 1024) * (F16_STEP[exponent] ?? 0);
  return (bits & 0x8000) === 0 ? magnitude : -magnitude;
}

/** The f16 bits nearest to an f32 value (a double is taken as it is, not rounded to f32 first). */
export function numberToF16Bits(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (magnitude >= F16_OVERFLOW) return sign | 0x7c00;
  // Subnormals are integers in units of 2^-24; 1024 of them is the bit pattern of the first normal.
  if (magnitude < 2 ** -14) return sign | (magnitude * 2 ** 24 + ROUND - ROUND);
  if (Number.isNaN(value)) return 0x7e00;
  // Truncating magnitude × 2^14, at least 1, to an integer leaves its leading bit in place.
  const exponent = 32 - Math.clz32(magnitude * 2 ** 14); // 1 … 30
  const significand = magnitude / (F16_STEP[exponent] ?? 1) + ROUND - ROUND; // 1024 … 2048
  return sign | ((exponent << 10) + significand - 1024); // 2048 carries into the exponent
}

/** Widens f16 bits into `out`. */
export function f16ToF32(
  bits: Uint16Array,
  out: Float32Array = new Float32Array(bits.length),
): Float32Array {
  for (let i = 0; i < bits.length; i++) out[i] = f16BitsToNumber(bits[i] ?? 0);
  return out;
}

/** Rounds to f16 bits into `out`. */
export function f32ToF16(
  values: Float32Array,
  out: Uint16Array = new Uint16Array(values.length),
): Uint16Array {
  for (let i = 0; i < values.length; i++) out[i] = numberToF16Bits(values[i] ?? 0);
  return out;
}

/** Widens bfloat16 bits (the upper half of an f32) into `out`. */
export function bf16ToF32(
  bits: Uint16Array,
  out: Float32Array = new Float32Array(bits.length),
): Float32Array {
  const words = new Uint32Array(out.buffer, out.byteOffset, out.length);
  for (let i = 0; i < bits.length; i++) words[i] = (bits[i] ?? 0) << 16;
  return out;
}

/** Rounds to bfloat16 bits into `out`. */
export function f32ToBf16(
  values: Float32Array,
  out: Uint16Array = new Uint16Array(values.length),
): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? 0;
    const isNan = (word & 0x7fffffff) > 0x7f800000;
    // The quiet bit keeps a NaN whose payload lies in the lower half from becoming infinity.
    out[i] = isNan ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return out;
}

/** `bytes` as u16 words, copied only where they do not lie on an even address. */
export function asUint16(bytes: Uint8Array): Uint16Array {
  const aligned = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice();
  return new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.byteLength >> 1);
}
