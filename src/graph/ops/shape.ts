/** Broadcasting and reshaping of dimensions that may be symbolic. */
import { FormatError } from "../../errors.ts";
import { elementCount } from "../ir.ts";
import type { Tensor } from "../ir.ts";
import { maxOf, sameInt, symIntExpression } from "../symint.ts";
import type { IntLike } from "../symint.ts";

/** Dims of an elementwise operation, aligned at the innermost dimension. */
export function broadcastDims(op: string, a: Tensor, b: Tensor): IntLike[] {
  const rank = Math.max(a.dims.length, b.dims.length);
  return Array.from({ length: rank }, (_, axis) => {
    const da = a.dims[axis - rank + a.dims.length] ?? 1;
    const db = b.dims[axis - rank + b.dims.length] ?? 1;
    if (sameInt(da, db) || db === 1) return da;
    if (da === 1) return db;
    if (typeof da === "number" && typeof db === "number") {
      throw new FormatError(
        `graph: ${op}: shapes of "${a.name}" and "${b.name}" differ: ${da} and ${db} in dimension ${axis}`,
      );
    }
    // Two different symbolic sizes can only be meant to be equal: take the tighter bound.
    return maxOf(da) <= maxOf(db) ? da : db;
  });
}

/** True where both have the same dims, dimension by dimension. */
export function sameDims(a: readonly IntLike[], b: readonly IntLike[]): boolean {
  return a.length === b.length && a.every((dim, axis) => sameInt(dim, b[axis] ?? 0));
}

/** An axis counted from the end where negative. */
export function normalizeAxis(op: string, axis: number, rank: number): number {
  const normal = axis < 0 ? axis + rank : axis;
  if (normal < 0 || normal >= rank) {
    throw new FormatError(`graph: ${op}: axis ${axis} of a tensor of rank ${rank}`);
  }
  return normal;
}

/** Dims of a view: `sizes` with −1 for the one that follows from the number of elements. */
export function viewDims(op: string, x: Tensor, sizes: readonly IntLike[]): IntLike[] {
  const total = elementCount(x.dims);
  const inferred = sizes.filter((size) => size === -1).length;
  if (inferred > 1) throw new FormatError(`graph: ${op}: more than one size is −1`);
  const known = elementCount(sizes.filter((size) => size !== -1));
  if (inferred === 0) {
    if (typeof known === "number" && typeof total === "number" && known !== total) {
      throw new FormatError(`graph: ${op}: "${x.name}" has ${total} elements, the view ${known}`);
    }
    return [...sizes];
  }
  return sizes.map((size) => (size === -1 ? symIntExpression("floordiv", total, known) : size));
}

/** Elements between neighbours along each axis of a contiguous tensor. */
export function contiguousStrides(dims: readonly IntLike[]): IntLike[] {
  const strides: IntLike[] = [];
  let stride: IntLike = 1;
  for (let axis = dims.length - 1; axis >= 0; axis--) {
    strides.unshift(stride);
    stride = symIntExpression("mul", stride, dims[axis] ?? 1);
  }
  return strides;
}
