import type { Capabilities } from "../../gpu/capabilities.ts";
import { divideCeil } from "../../gpu/dispatch-grid.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { Route } from "../../gpu/kernel.ts";
import { elementBytes, ELEMENTWISE_WORKGROUP_SIZE, wordGrid } from "../shared/element-type.ts";
import invocationIndex from "../shared/invocation-index.wgsl";
import source from "./bitwise.wgsl";

/** What is fixed about a bitwise or logical operation. */
export interface BitwiseShape {
  readonly op: "and" | "or" | "not";
  /** Of a, b and out. On bools, bytes of 0 or 1, the operations are the logical ones. */
  readonly type: "bool" | "u8" | "i8" | "i32";
}

/**
 * `aten.bitwise_and`, `or`, `not`; of bools also `aten.logical_and`, `or`, `not`: operands a, b
 * (without it for `not`), out, of `count` elements.
 */
export function bitwise(
  { op, type }: BitwiseShape,
  capabilities: Capabilities,
): Route<{ readonly count: number }> {
  const bytes = elementBytes(type);
  const wgslOp = op === "not" && type === "bool" ? "LOGICAL_NOT" : op.toUpperCase();
  const kernel = defineKernel({
    label: `bitwise_${wgslOp.toLowerCase()}`,
    parts: [invocationIndex, source],
    constants: { OP: wgslOp },
    overrides: { WORKGROUP_SIZE: ELEMENTWISE_WORKGROUP_SIZE },
  });
  return {
    name: "bitwise",
    scratch: {},
    dispatches: [
      {
        kernel,
        bind: { out: "out", a: "a", b: op === "not" ? "a" : "b" },
        params: ({ count }) => ({ words: divideCeil(count * bytes, 4) }),
        grid: ({ count }) => wordGrid(count, bytes, capabilities),
      },
    ],
  };
}
