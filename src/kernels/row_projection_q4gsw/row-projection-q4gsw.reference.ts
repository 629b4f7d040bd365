import { linearQ4gswReference } from "../linear_q4gsw/linear-q4gsw.reference.ts";
import type { Q4Matrix } from "../linear_q4gsw/linear-q4gsw.reference.ts";

/**
 * Rows of several matrices times one row of x, in float64, x through rms_norm first if there are
 * weights for that: for each matrix its outputs.
 */
export function rowProjectionReference(
  x: Float32Array,
  norm: { readonly weight: Float32Array; readonly epsilon: number } | undefined,
  matrices: readonly Q4Matrix[],
): Float64Array[] {
  let factor = 1;
  if (norm !== undefined) {
    const squares = x.reduce((sum, value) => sum + value ** 2, 0);
    factor = 1 / Math.sqrt(squares / x.length + norm.epsilon);
  }
  const row = Float64Array.from(x, (value, k) => value * factor * (norm?.weight[k] ?? 1));
  return matrices.map((matrix) => {
    const outputs = Array.from({ length: matrix.N }, (_, n) => n);
    return linearQ4gswReference(row, matrix, undefined, [0], outputs);
  });
}

/** SwiGLU of what two matrices gave: silu(gate) · up. */
export function swigluReference(gate: Float64Array, up: Float64Array): Float64Array {
  return gate.map((value, n) => (value / (1 + Math.exp(-value))) * up[n]!);
}
