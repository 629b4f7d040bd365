import type { EmbeddingQ4gswShape } from "./embedding-q4gsw.ts";

/**
 * {@link embeddingQ4gsw} in float64: weight bytes [V, pad8(E) / 2], scales as numbers [V, E / group]
 * → [count, E], NaN where nothing is written.
 */
export function embeddingQ4gswReference(
  indices: Int32Array,
  weight: Uint8Array,
  scales: ArrayLike<number>,
  shape: EmbeddingQ4gswShape,
): Float64Array {
  const { vocabularySize, embeddingSize, groupSize, evenInLowNibble, firstRow = 0 } = shape;
  const out = new Float64Array(indices.length * embeddingSize).fill(Number.NaN);
  const rowBytes = 4 * Math.ceil(embeddingSize / 8);
  indices.forEach((index, i) => {
    const row = index - firstRow;
    if (row < 0 || row >= vocabularySize) return;
    for (let d = 0; d < embeddingSize; d++) {
      const byte = weight[row * rowBytes + (d >> 1)]!;
      const low = (d % 2 === 0) === evenInLowNibble;
      const nibble = low ? byte & 15 : byte >> 4;
      const group = row * (embeddingSize / groupSize) + Math.floor(d / groupSize);
      out[i * embeddingSize + d] = (nibble - 8) * scales[group]!;
    }
  });
  return out;
}
