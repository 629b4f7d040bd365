import type { BinaryOp } from "./elementwise-binary.ts";

/** One element of an elementwise operation, in float64. */
export function binaryReference(op: BinaryOp, a: number, b: number, alpha = 1): number {
  switch (op) {
    case "add":
      return a + alpha * b;
    case "sub":
      return a - alpha * b;
    case "mul":
      return a * b;
    case "div":
      return a / b;
    case "minimum":
      return Math.min(a, b);
    case "pow":
      return a ** b;
    case "div_floor":
      return Math.floor(a / b);
    default:
      return op satisfies never;
  }
}

/** Elementwise operation with broadcasting: strides in elements, the output contiguous. */
export function binaryReferenceStrided(
  op: BinaryOp,
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  dims: readonly number[],
  aStrides: readonly number[],
  bStrides: readonly number[],
  alpha = 1,
): Float64Array {
  const count = dims.reduce((product, size) => product * size, 1);
  return Float64Array.from({ length: count }, (_, index) => {
    let rest = index;
    let aAt = 0;
    let bAt = 0;
    for (let d = dims.length - 1; d >= 0; d--) {
      const coordinate = rest % dims[d]!;
      rest = Math.floor(rest / dims[d]!);
      aAt += coordinate * aStrides[d]!;
      bAt += coordinate * bStrides[d]!;
    }
    return binaryReference(op, a[aAt]!, b[bAt]!, alpha);
  });
}
