import type { ReduceLive, ReduceShape } from "./reduce.ts";

/** {@link reduce} in float64. */
export function reduceReference(
  op: ReduceShape["op"],
  x: ArrayLike<number>,
  { outer, width, inner }: ReduceLive,
): Float64Array {
  return Float64Array.from({ length: outer * inner }, (_, output) => {
    const start = Math.floor(output / inner) * width * inner + (output % inner);
    const values = Array.from({ length: width }, (_, i) => x[start + i * inner]!);
    if (op === "amax") return values.reduce((a, b) => Math.max(a, b));
    if (op === "amin") return values.reduce((a, b) => Math.min(a, b));
    const sum = values.reduce((a, b) => a + b, 0);
    return op === "mean" ? sum / width : sum;
  });
}
