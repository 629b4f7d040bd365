/** Broadcasting and reshaping of dimensions that may be symbolic. */
import { FormatError, UnsupportedError } from "../../errors.ts";
import { elementCount } from "../ir.ts";
import type { Tensor } from "../ir.ts";
import { maxOf, sameInt, symIntExpression } from "../symint.ts";
import type { IntLike } from "../symint.ts";

/** Dims of an elementwise operation, aligned at the innermost dimension. */
export function broadcastDims(
  op: string,
  a: Pick<Tensor, "name" | "dims">,
  b: Pick<Tensor, "name" | "dims">,
): IntLike[] {
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

/** Strides of `x` when read with the dims of a broadcast result: 0 where it repeats. */
export function broadcastStrides(x: Tensor, dims: readonly IntLike[]): IntLike[] {
  const strides = contiguousStrides(x.dims);
  const lead = dims.length - x.dims.length;
  return dims.map((dim, axis) => {
    const own = axis - lead;
    const repeats = own < 0 || (x.dims[own] === 1 && dim !== 1);
    return repeats ? 0 : (strides[own] ?? 0);
  });
}

/** A tensor seen as [outer, width, inner], `width` being some neighbouring dimensions. */
export interface FoldedDims {
  readonly outer: IntLike;
  readonly width: IntLike;
  readonly inner: IntLike;
}

/**
 * `dims` folded around `axes`, all of them where the list is empty. Throws `UnsupportedError` where
 * they are not neighbours.
 */
export function foldAround(
  op: string,
  dims: readonly IntLike[],
  axes: readonly number[],
): FoldedDims {
  const wanted = axes.length === 0 ? dims.map((_, axis) => axis) : axes;
  const sorted = [...new Set(wanted.map((axis) => normalizeAxis(op, axis, dims.length)))].sort(
    (a, b) => a - b,
  );
  const [first = 0] = sorted;
  const end = first + sorted.length;
  if (sorted.some((axis, i) => axis !== first + i)) {
    throw new UnsupportedError(
      `graph: ${op}: over axes ${sorted.join(", ")}; supported: neighbouring axes`,
    );
  }
  return {
    outer: elementCount(dims.slice(0, first)),
    width: elementCount(dims.slice(first, end)),
    inner: elementCount(dims.slice(end)),
  };
}

/** `dims` without `axes`, or with 1 in their places. */
export function reducedDims(
  op: string,
  dims: readonly IntLike[],
  axes: readonly number[],
  keep: boolean,
): IntLike[] {
  const gone = new Set(axes.map((axis) => normalizeAxis(op, axis, dims.length)));
  const isGone = (axis: number) => axes.length === 0 || gone.has(axis);
  if (keep) return dims.map((dim, axis) => (isGone(axis) ? 1 : dim));
  return dims.filter((_, axis) => !isGone(axis));
}
