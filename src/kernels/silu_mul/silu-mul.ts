import type { Capabilities } from "../../gpu/capabilities.ts";
import { elementwiseGrid } from "../../gpu/dispatch-grid.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { DispatchTemplate, Route } from "../../gpu/kernel.ts";
import {
  elementBytes,
  elementConstant,
  elementParts,
  ELEMENTWISE_WORKGROUP_SIZE,
  wordGrid,
} from "../shared/element-type.ts";
import invocationIndex from "../shared/invocation-index.wgsl";
import sigmoid from "../shared/sigmoid.wgsl";
import quadsSource from "./silu-mul-quads.wgsl";
import source from "./silu-mul.wgsl";

/** What is fixed about a gated activation. */
export interface SiluMulShape {
  /** Of gate, up and out; f32 if absent. f16 is computed in f32. */
  readonly type?: "f32" | "f16";
  /** The count is always a multiple of 4. */
  readonly wholeQuads?: boolean;
}

type Live = { readonly count: number };

const bind = { out: "out", gate: "gate", up: "up" };

/** SwiGLU's gate: out = silu(gate) · up. Operands gate, up, out, each of `count` elements. */
export function siluMul(
  { type = "f32", wholeQuads = false }: SiluMulShape,
  capabilities: Capabilities,
): Route<Live> {
  const dispatch =
    type === "f32" && wholeQuads ? inQuads(capabilities) : inWords(type, capabilities);
  return { name: "silu_mul", scratch: {}, dispatches: [dispatch] };
}

function inQuads(capabilities: Capabilities): DispatchTemplate<Live> {
  return {
    kernel: defineKernel({
      label: "silu_mul_quads",
      parts: [invocationIndex, sigmoid, quadsSource],
      overrides: { WORKGROUP_SIZE: ELEMENTWISE_WORKGROUP_SIZE },
    }),
    bind,
    params: ({ count }) => ({ quads: count / 4 }),
    grid: ({ count }) => elementwiseGrid(count / 4, ELEMENTWISE_WORKGROUP_SIZE, capabilities),
  };
}

function inWords(type: "f32" | "f16", capabilities: Capabilities): DispatchTemplate<Live> {
  return {
    kernel: defineKernel({
      label: `silu_mul_${type}`,
      parts: [...elementParts(type), sigmoid, source],
      constants: { ELEMENT: elementConstant(type) },
      overrides: { WORKGROUP_SIZE: ELEMENTWISE_WORKGROUP_SIZE },
    }),
    bind,
    params: ({ count }) => ({ count }),
    grid: ({ count }) => wordGrid(count, elementBytes(type), capabilities),
  };
}
