import { siluMulReference } from "../silu_mul/silu-mul.reference.ts";
import { linearQ4gswReference } from "./linear-q4gsw.reference.ts";
import type { Q4Matrix } from "./linear-q4gsw.reference.ts";

/** {@link swigluHalvesQ4gsw} in float64 for M rows: x [M, K] → out [M, N]. */
export function swigluHalvesReference(x: Float32Array, gate: Q4Matrix, up: Q4Matrix): Float64Array {
  const all = (length: number): number[] => Array.from({ length }, (_, i) => i);
  const product = (matrix: Q4Matrix): Float64Array =>
    linearQ4gswReference(x, matrix, undefined, all(x.length / matrix.K), all(matrix.N));
  return siluMulReference(product(gate), product(up));
}
