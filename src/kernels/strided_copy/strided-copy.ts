import type { Capabilities } from "../../gpu/capabilities.ts";
import { elementwiseGrid } from "../../gpu/dispatch-grid.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { Route } from "../../gpu/kernel.ts";
import { ELEMENTWISE_WORKGROUP_SIZE, wordGrid } from "../shared/element-type.ts";
import invocationIndex from "../shared/invocation-index.wgsl";
import { elementCount, stridedParams } from "../shared/strided-dims.ts";
import source from "./strided-copy.wgsl";
import packedWriteSource from "./strided-write-packed.wgsl";
import writeSource from "./strided-write.wgsl";

/** What is fixed about a copy that makes a view contiguous. */
export interface StridedCopyShape {
  readonly elementBytes: 1 | 2 | 4;
  /** Whether operand input_pos moves the source, as in a slice whose start only the GPU knows. */
  readonly hasPosition?: boolean;
}

/** A view of the source; strides and offset in elements, strides 0 and below allowed. */
export interface StridedCopyLive {
  /** Of the view and of out; up to eight that cannot be merged. */
  readonly dims: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
  /** Elements the view moves for each unit of input_pos; the result is clamped to the source. */
  readonly positionStride?: number;
}

const overrides = { WORKGROUP_SIZE: ELEMENTWISE_WORKGROUP_SIZE };

/**
 * Makes a view contiguous: slice, select, permute, expand, flip, repeat. Operands source, out and,
 * with `hasPosition`, input_pos i32 [1]. Nothing is checked against the source's size but what
 * input_pos adds.
 */
export function stridedCopy(
  { elementBytes, hasPosition = false }: StridedCopyShape,
  capabilities: Capabilities,
): Route<StridedCopyLive> {
  const kernel = defineKernel({
    label: `strided_copy_${8 * elementBytes}bit${hasPosition ? "_position" : ""}`,
    parts: [invocationIndex, source],
    constants: { ELEMENTS_PER_WORD: 4 / elementBytes, HAS_POSITION: hasPosition },
    overrides,
  });
  return {
    name: "strided_copy",
    scratch: {},
    dispatches: [
      {
        kernel,
        bind: { out: "out", source: "source", input_pos: hasPosition ? "input_pos" : "source" },
        params: ({ dims, strides, offset, positionStride = 0 }) => ({
          ...stridedParams(dims, { stride: strides }),
          offset,
          position_stride: positionStride,
        }),
        grid: ({ dims }) => wordGrid(elementCount(dims), elementBytes, capabilities),
      },
    ],
  };
}

/** A view of the source and where in out it goes; strides and offsets in elements. */
export interface StridedWriteLive {
  readonly dims: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
  readonly outStrides: readonly number[];
  readonly outOffset: number;
}

/**
 * Copies a view into part of out and leaves the rest: one dispatch for each input of a cat. Operands
 * source, out. Places written must not repeat.
 */
export function stridedWrite(
  { elementBytes }: Pick<StridedCopyShape, "elementBytes">,
  capabilities: Capabilities,
): Route<StridedWriteLive> {
  const packed = elementBytes < 4;
  const kernel = defineKernel({
    label: `strided_write_${8 * elementBytes}bit`,
    parts: [invocationIndex, packed ? packedWriteSource : writeSource],
    constants: packed ? { ELEMENTS_PER_WORD: 4 / elementBytes } : {},
    overrides,
  });
  return {
    name: packed ? "strided_write_packed" : "strided_write",
    scratch: {},
    dispatches: [
      {
        kernel,
        bind: { out: "out", source: "source" },
        params: ({ dims, strides, offset, outStrides, outOffset }) => ({
          ...stridedParams(dims, { stride: strides, out_stride: outStrides }),
          offset,
          out_offset: outOffset,
        }),
        grid: ({ dims }) =>
          elementwiseGrid(elementCount(dims), ELEMENTWISE_WORKGROUP_SIZE, capabilities),
      },
    ],
  };
}
