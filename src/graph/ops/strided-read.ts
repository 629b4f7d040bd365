import { stridedCopy } from "../../kernels/strided_copy/strided-copy.ts";
import { DTYPE_BYTES } from "../ir.ts";
import type { Node, Tensor } from "../ir.ts";
import type { IntLike } from "../symint.ts";
import { call, onlyResult, readArguments } from "./op.ts";
import type { Call, LowerContext } from "./op.ts";

/** A strided read: the result's element at an index is x's at offset + Σ index · stride. */
export interface StridedRead {
  readonly strides: readonly IntLike[];
  readonly offset: IntLike;
}

/** A copy of x's elements to `out`, walked as `dims`: out's, unless given. */
export function stridedReadCall(
  x: Tensor,
  out: Tensor,
  { capabilities }: LowerContext,
  { strides, offset }: StridedRead,
  dims: readonly IntLike[] = out.dims,
) {
  const route = stridedCopy({ elementBytes: DTYPE_BYTES[out.dtype] as 1 | 2 | 4 }, capabilities);
  return call(route, { source: x, out }, (values) => ({
    dims: dims.map((dim) => values.get(dim)),
    strides: strides.map((stride) => values.get(stride)),
    offset: values.get(offset),
  }));
}

export function lowerStridedRead(
  node: Node,
  context: LowerContext,
  read: StridedRead,
  dims?: readonly IntLike[],
): Call[] {
  return [stridedReadCall(readArguments(node).tensor(0), onlyResult(node), context, read, dims)];
}
