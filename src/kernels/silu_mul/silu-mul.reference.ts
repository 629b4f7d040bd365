/** {@link siluMul} in float64. */
export function siluMulReference(gate: ArrayLike<number>, up: ArrayLike<number>): Float64Array {
  return Float64Array.from(gate, (value, i) => (value / (1 + Math.exp(-value))) * up[i]!);
}
