import type { SoftmaxLive } from "./softmax.ts";

/** {@link softmax} in float64. */
export function softmaxReference(
  x: ArrayLike<number>,
  { outer, width, inner }: SoftmaxLive,
  logarithm: boolean,
): Float64Array {
  const out = new Float64Array(x.length);
  for (let row = 0; row < outer * inner; row++) {
    const start = Math.floor(row / inner) * width * inner + (row % inner);
    const at = Array.from({ length: width }, (_, i) => start + i * inner);
    const highest = at.reduce((max, i) => Math.max(max, x[i]!), Number.NEGATIVE_INFINITY);
    const sum = at.reduce((total, i) => total + Math.exp(x[i]! - highest), 0);
    for (const i of at) {
      const distance = x[i]! - highest;
      out[i] = logarithm ? distance - Math.log(sum) : Math.exp(distance) / sum;
    }
  }
  return out;
}
