import type { Capabilities } from "../../gpu/capabilities.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { Route } from "../../gpu/kernel.ts";
import { ELEMENTWISE_WORKGROUP_SIZE, wordGrid } from "../shared/element-type.ts";
import invocationIndex from "../shared/invocation-index.wgsl";
import { elementCount, stridedParams } from "../shared/strided-dims.ts";
import source from "./where.wgsl";

/** What is fixed about `aten.where`. */
export interface WhereShape {
  /** Of the elements of a, b and out. */
  readonly elementBytes: 1 | 2 | 4;
}

/** Live sizes; strides in elements, 0 where an operand repeats. */
export interface WhereLive {
  /** Of out, which is contiguous; up to eight that cannot be merged. */
  readonly dims: readonly number[];
  readonly conditionStrides: readonly number[];
  readonly aStrides: readonly number[];
  readonly bStrides: readonly number[];
}

/** `aten.where.self`: operands condition (bool), a, b, out. */
export function where({ elementBytes }: WhereShape, capabilities: Capabilities): Route<WhereLive> {
  const kernel = defineKernel({
    label: `where_${8 * elementBytes}bit`,
    parts: [invocationIndex, source],
    constants: { ELEMENTS_PER_WORD: 4 / elementBytes },
    overrides: { WORKGROUP_SIZE: ELEMENTWISE_WORKGROUP_SIZE },
  });
  return {
    name: "where",
    scratch: {},
    dispatches: [
      {
        kernel,
        bind: { out: "out", condition: "condition", a: "a", b: "b" },
        params: ({ dims, conditionStrides, aStrides, bStrides }) =>
          stridedParams(dims, {
            condition_stride: conditionStrides,
            a_stride: aStrides,
            b_stride: bStrides,
          }),
        grid: ({ dims }) => wordGrid(elementCount(dims), elementBytes, capabilities),
      },
    ],
  };
}
