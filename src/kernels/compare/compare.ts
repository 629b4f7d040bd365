import type { Capabilities } from "../../gpu/capabilities.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { Route } from "../../gpu/kernel.ts";
import {
  ELEMENT_TYPE_PARTS,
  elementConstant,
  ELEMENTWISE_WORKGROUP_SIZE,
  isFloat,
  wordGrid,
} from "../shared/element-type.ts";
import type { ElementType } from "../shared/element-type.ts";
import source from "./compare.wgsl";

export type CompareOp = "eq" | "ne" | "lt" | "le" | "gt" | "ge";

/** What is fixed about a comparison. */
export interface CompareShape {
  readonly op: CompareOp;
  /** Of a and b. */
  readonly type: ElementType;
  /** Compares a with this number; absent, with operand b. */
  readonly scalar?: number;
}

/**
 * `aten.eq`, `ne`, `lt`, `le`, `gt`, `ge` of two tensors of one shape, or of a tensor and a number:
 * operands a, b (without `scalar`), out (bool), of `count` elements.
 */
export function compare(
  { op, type, scalar }: CompareShape,
  capabilities: Capabilities,
): Route<{ readonly count: number }> {
  const isScalar = scalar !== undefined;
  // As in PyTorch, an integer compares with a fraction as a float.
  const asIntegers = !isFloat(type) && (!isScalar || Number.isInteger(scalar));
  const kernel = defineKernel({
    label: `${op}_${type}${isScalar ? "_scalar" : ""}`,
    parts: [...ELEMENT_TYPE_PARTS, source],
    constants: {
      OP: op.toUpperCase(),
      ELEMENT: elementConstant(type),
      AS_INTEGERS: asIntegers,
      B_IS_SCALAR: isScalar,
    },
    overrides: { WORKGROUP_SIZE: ELEMENTWISE_WORKGROUP_SIZE },
  });
  const integer = Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, Math.trunc(scalar ?? 0)));
  return {
    name: "compare",
    scratch: {},
    dispatches: [
      {
        kernel,
        bind: { out: "out", a: "a", b: isScalar ? "a" : "b" },
        params: ({ count }) => ({ count, scalar: scalar ?? 0, integer_scalar: integer }),
        grid: ({ count }) => wordGrid(count, 1, capabilities),
      },
    ],
  };
}
