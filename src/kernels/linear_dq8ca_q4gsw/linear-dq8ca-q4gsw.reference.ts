import { dequantizedRow } from "../linear_q4gsw/linear-q4gsw.reference.ts";
import type { Q4Matrix } from "../linear_q4gsw/linear-q4gsw.reference.ts";

/** x [M, K] as 8-bit quantisation sees it: clamp(round(x / s) + z, −128, 127) − z, of row scales. */
export function quantizedSteps(
  x: ArrayLike<number>,
  K: number,
  scale: ArrayLike<number>,
  zeroPoint: ArrayLike<number>,
): Float64Array {
  return Float64Array.from({ length: x.length }, (_, i) => {
    const row = Math.floor(i / K);
    const step = Math.round(x[i]! / scale[row]!) + zeroPoint[row]!;
    return Math.min(Math.max(step, -128), 127) - zeroPoint[row]!;
  });
}

/** {@link linearDq8caQ4gsw} in float64: s · Σ (quantised − z) · w + bias, [M, N]. */
export function linearDq8caQ4gswReference(
  steps: Float64Array,
  scale: ArrayLike<number>,
  matrix: Q4Matrix,
  bias: ArrayLike<number> | undefined,
): Float64Array {
  const { N, K } = matrix;
  const M = steps.length / K;
  const out = new Float64Array(M * N);
  for (let n = 0; n < N; n++) {
    const weights = dequantizedRow(matrix, n);
    for (let m = 0; m < M; m++) {
      let sum = 0;
      for (let k = 0; k < K; k++) sum += steps[m * K + k]! * weights[k]!;
      out[m * N + n] = scale[m]! * sum + (bias?.[n] ?? 0);
    }
  }
  return out;
}
