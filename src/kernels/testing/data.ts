/** `((i mod modulus) − offset) / divisor`: values exact in f32, and in f16 for small moduli. */
export function ramp(
  length: number,
  modulus: number,
  offset: number,
  divisor: number,
): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length }, (_, i) => ((i % modulus) - offset) / divisor);
}

/** Reproducible uniform numbers in [0, 1): the 32-bit generator mulberry32. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Reproducible uniform values in [−1, 1). */
export function randomValues(length: number, seed: number): Float32Array<ArrayBuffer> {
  const next = randomNumbers(seed);
  return Float32Array.from({ length }, () => 2 * next() - 1);
}
