import type { Capabilities } from "../../gpu/capabilities.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { Route } from "../../gpu/kernel.ts";
import {
  elementBytes,
  elementConstant,
  elementParts,
  ELEMENTWISE_WORKGROUP_SIZE,
  wordGrid,
} from "../shared/element-type.ts";
import sigmoid from "../shared/sigmoid.wgsl";
import source from "./silu-mul.wgsl";

/** What is fixed about a gated activation. */
export interface SiluMulShape {
  /** Of gate, up and out; f32 if absent. f16 is computed in f32. */
  readonly type?: "f32" | "f16";
}

/** SwiGLU's gate: out = silu(gate) · up. Operands gate, up, out, each of `count` elements. */
export function siluMul(
  { type = "f32" }: SiluMulShape,
  capabilities: Capabilities,
): Route<{ readonly count: number }> {
  const kernel = defineKernel({
    label: `silu_mul_${type}`,
    parts: [...elementParts(type), sigmoid, source],
    constants: { ELEMENT: elementConstant(type) },
    overrides: { WORKGROUP_SIZE: ELEMENTWISE_WORKGROUP_SIZE },
  });
  return {
    name: "silu_mul",
    scratch: {},
    dispatches: [
      {
        kernel,
        bind: { out: "out", gate: "gate", up: "up" },
        params: ({ count }) => ({ count }),
        grid: ({ count }) => wordGrid(count, elementBytes(type), capabilities),
      },
    ],
  };
}
