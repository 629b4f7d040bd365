/** {@link applyRotaryEmbInterleaved} in float64: x [B, N, C], freqs [N, C]. */
export function applyRotaryEmbInterleavedReference(
  x: ArrayLike<number>,
  freqs: ArrayLike<number>,
): Float64Array {
  const out = new Float64Array(x.length);
  for (let even = 0; even < x.length; even += 2) {
    const [a, b] = [x[even]!, x[even + 1]!];
    const [cos, sin] = [freqs[even % freqs.length]!, freqs[(even + 1) % freqs.length]!];
    out[even] = a * cos - b * sin;
    out[even + 1] = a * sin + b * cos;
  }
  return out;
}
