import { viewIndices } from "../strided_copy/strided-copy.reference.ts";
import type { WhereLive } from "./where.ts";

/** {@link where} of numbers. */
export function whereReference(
  condition: ArrayLike<number>,
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  { dims, conditionStrides, aStrides, bStrides }: WhereLive,
): Float64Array {
  const inA = viewIndices(dims, aStrides, 0);
  const inB = viewIndices(dims, bStrides, 0);
  return Float64Array.from(viewIndices(dims, conditionStrides, 0), (at, i) =>
    condition[at] === 0 ? b[inB[i]!]! : a[inA[i]!]!,
  );
}
