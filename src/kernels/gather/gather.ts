import type { Capabilities } from "../../gpu/capabilities.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { Route } from "../../gpu/kernel.ts";
import { ELEMENTWISE_WORKGROUP_SIZE, wordGrid } from "../shared/element-type.ts";
import invocationIndex from "../shared/invocation-index.wgsl";
import { contiguousStrides, elementCount, stridedParams } from "../shared/strided-dims.ts";
import source from "./gather.wgsl";

/** What is fixed about reading elements by index. */
export interface GatherShape {
  /** Of the elements of x and out. */
  readonly elementBytes: 1 | 2 | 4;
}

/** Live sizes; strides in elements, 0 where an operand repeats. */
export interface GatherLive {
  /** Of out, which is contiguous; up to eight that cannot be merged. */
  readonly dims: readonly number[];
  readonly indexStrides: readonly number[];
  /** Of x, 0 along what the index replaces. */
  readonly xStrides: readonly number[];
  /** Size of the axis of x that the index walks, and its stride. */
  readonly axisSize: number;
  readonly axisStride: number;
}

/**
 * Reads x through indices: `aten.gather`, `index_select`, `index.Tensor` with one index, `embedding`.
 * Operands x, indices i32, out. A negative index counts from the end; one outside the axis is clamped.
 */
export function gather(
  { elementBytes }: GatherShape,
  capabilities: Capabilities,
): Route<GatherLive> {
  const kernel = defineKernel({
    label: `gather_${8 * elementBytes}bit`,
    parts: [invocationIndex, source],
    constants: { ELEMENTS_PER_WORD: 4 / elementBytes },
    overrides: { WORKGROUP_SIZE: ELEMENTWISE_WORKGROUP_SIZE },
  });
  return {
    name: "gather",
    scratch: {},
    dispatches: [
      {
        kernel,
        bind: { out: "out", x: "x", indices: "indices" },
        params: ({ dims, indexStrides, xStrides, axisSize, axisStride }) => ({
          ...stridedParams(dims, { index_stride: indexStrides, x_stride: xStrides }),
          axis_size: axisSize,
          axis_stride: axisStride,
        }),
        grid: ({ dims }) => wordGrid(elementCount(dims), elementBytes, capabilities),
      },
    ],
  };
}

/** Rows of x [xDims] along `axis`, of which `count` are taken: embedding and index.Tensor are axis 0. */
export function indexSelectLive(xDims: readonly number[], axis: number, count: number): GatherLive {
  const strides = contiguousStrides(xDims);
  return {
    dims: xDims.map((size, d) => (d === axis ? count : size)),
    indexStrides: xDims.map((_, d) => (d === axis ? 1 : 0)),
    xStrides: strides.map((stride, d) => (d === axis ? 0 : stride)),
    axisSize: xDims[axis] ?? 1,
    axisStride: strides[axis] ?? 1,
  };
}

/** `aten.gather` along `axis`: out and indices have `indexDims`, at most x's but along the axis. */
export function gatherLive(
  xDims: readonly number[],
  axis: number,
  indexDims: readonly number[],
): GatherLive {
  const strides = contiguousStrides(xDims);
  return {
    dims: indexDims,
    indexStrides: contiguousStrides(indexDims),
    xStrides: strides.map((stride, d) => (d === axis ? 0 : stride)),
    axisSize: xDims[axis] ?? 1,
    axisStride: strides[axis] ?? 1,
  };
}
