import { f16BitsToNumber, numberToF16Bits } from "../../quant/f16.ts";
import type { ReduceLive, ReduceShape } from "./reduce.ts";

/** {@link reduce} in float64; sums that the type cannot hold wrap around or are infinite. */
export function reduceReference(
  { op, type }: ReduceShape,
  x: ArrayLike<number>,
  { outer, width, inner }: ReduceLive,
): Float64Array {
  return Float64Array.from({ length: outer * inner }, (_, output) => {
    const start = Math.floor(output / inner) * width * inner + (output % inner);
    const values = Array.from({ length: width }, (_, i) => x[start + i * inner]!);
    if (op === "amax") return values.reduce((a, b) => Math.max(a, b));
    if (op === "amin") return values.reduce((a, b) => Math.min(a, b));
    const sum = values.reduce((a, b) => a + b, 0);
    if (type === "i32") return sum | 0;
    const result = op === "mean" ? sum / width : sum;
    const overflows = type === "f16" && !Number.isFinite(f16BitsToNumber(numberToF16Bits(result)));
    return overflows ? result * Infinity : result;
  });
}
