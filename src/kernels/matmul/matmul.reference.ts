import type { MatmulLive, MatmulShape } from "./matmul.ts";

/** One element of {@link matmul} in float64. */
export function matmulElement(
  { N, K, bTransposed, addend, alpha = 1, beta = 1, sharedB = false }: MatmulShape,
  { M }: MatmulLive,
  operands: {
    readonly a: ArrayLike<number>;
    readonly b: ArrayLike<number>;
    readonly addend?: ArrayLike<number>;
  },
  index: number,
): number {
  const n = index % N;
  const m = Math.floor(index / N) % M;
  const batch = Math.floor(index / (M * N));
  const bStart = sharedB ? 0 : batch * N * K;
  let sum = 0;
  for (let k = 0; k < K; k++) {
    const b = operands.b[bStart + (bTransposed ? n * K + k : k * N + n)]!;
    sum += operands.a[(batch * M + m) * K + k]! * b;
  }
  const added = addend === undefined ? 0 : operands.addend![addend === "row" ? n : m * N + n]!;
  return alpha * sum + beta * added;
}
