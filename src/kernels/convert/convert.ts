import type { Capabilities } from "../../gpu/capabilities.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { Route } from "../../gpu/kernel.ts";
import {
  ELEMENT_TYPE_PARTS,
  elementBytes,
  elementConstant,
  ELEMENTWISE_WORKGROUP_SIZE,
  wordGrid,
} from "../shared/element-type.ts";
import type { ElementType } from "../shared/element-type.ts";
import source from "./convert.wgsl";

/** What is fixed about a conversion. */
export interface ConvertShape {
  /** Type of x. */
  readonly from: ElementType;
  /** Type of out. */
  readonly to: ElementType;
}

/**
 * `aten._to_copy`: operands x, out, of `count` elements. Floats become integers by truncation,
 * saturated to i32 and cut to the low bits of a narrower type; anything but 0 is true.
 */
export function convert(
  { from, to }: ConvertShape,
  capabilities: Capabilities,
): Route<{ readonly count: number }> {
  const kernel = defineKernel({
    label: `convert_${from}_${to}`,
    parts: [...ELEMENT_TYPE_PARTS, source],
    constants: { FROM: elementConstant(from), TO: elementConstant(to) },
    overrides: { WORKGROUP_SIZE: ELEMENTWISE_WORKGROUP_SIZE },
  });
  return {
    name: "convert",
    scratch: {},
    dispatches: [
      {
        kernel,
        bind: { out: "out", x: "x" },
        params: ({ count }) => ({ count }),
        grid: ({ count }) => wordGrid(count, elementBytes(to), capabilities),
      },
    ],
  };
}
