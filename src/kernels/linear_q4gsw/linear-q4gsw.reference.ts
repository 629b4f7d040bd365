/** A matrix as `linear_q4gsw` takes it, with its scales widened to numbers. */
export interface Q4Matrix {
  readonly N: number;
  readonly K: number;
  readonly groupSize: number;
  readonly weight: Uint32Array; // [N, pad8(K) / 8]
  /** Scale at an index of [N, K / groupSize]. */
  readonly scaleAt: (index: number) => number;
}

/** Row `n` dequantised, in float64. */
export function dequantizedRow(matrix: Q4Matrix, n: number): Float64Array {
  const { K, groupSize, weight, scaleAt } = matrix;
  const start = n * Math.ceil(K / 8);
  const groups = K / groupSize;
  const row = new Float64Array(K);
  for (let group = 0; group < groups; group++) {
    const scale = scaleAt(n * groups + group);
    for (let k = group * groupSize; k < (group + 1) * groupSize; k++) {
      row[k] = (((weight[start + (k >> 3)]! >>> (4 * (k & 7))) & 15) - 8) * scale;
    }
  }
  return row;
}

/**
 * {@link linearQ4gsw} in float64 for some rows of x and some outputs: [rows, outputs]. x is [M, K],
 * bias at least N long or absent.
 */
export function linearQ4gswReference(
  x: Float32Array | Float64Array,
  matrix: Q4Matrix,
  bias: Float32Array | undefined,
  rows: readonly number[],
  outputs: readonly number[],
): Float64Array {
  const { K } = matrix;
  const result = new Float64Array(rows.length * outputs.length);
  outputs.forEach((n, column) => {
    const weights = dequantizedRow(matrix, n);
    rows.forEach((m, row) => {
      let sum = bias?.[n] ?? 0;
      const start = m * K;
      for (let k = 0; k < K; k++) sum += x[start + k]! * weights[k]!;
      result[row * outputs.length + column] = sum;
    });
  });
  return result;
}
