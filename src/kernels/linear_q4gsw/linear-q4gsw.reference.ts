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

/**
 * Σ factors[n] · (x · weightᵀ + bias)[m, n] over blocks of neighbouring outputs n: [M, blocks]. Each is a
 * row of x times the weighted sum of the block's weights, so that no output is computed (Freivalds,
 * 1977): N / blocks times fewer products.
 */
export function linearQ4gswWeightedSums(
  x: Float32Array,
  matrix: Q4Matrix,
  bias: Float32Array | undefined,
  factors: Float64Array,
  columnsPerBlock: number,
): Float64Array {
  const { N, K } = matrix;
  const M = x.length / K;
  const blocks = Math.ceil(N / columnsPerBlock);
  const result = new Float64Array(M * blocks);
  for (let block = 0; block < blocks; block++) {
    const weights = new Float64Array(K);
    let added = 0;
    for (let n = block * columnsPerBlock; n < Math.min((block + 1) * columnsPerBlock, N); n++) {
      const factor = factors[n]!;
      const row = dequantizedRow(matrix, n);
      for (let k = 0; k < K; k++) weights[k]! += factor * row[k]!;
      added += factor * (bias?.[n] ?? 0);
    }
    for (let m = 0; m < M; m++) {
      let sum = added;
      for (let k = 0; k < K; k++) sum += x[m * K + k]! * weights[k]!;
      result[m * blocks + block] = sum;
    }
  }
  return result;
}
