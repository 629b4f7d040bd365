import type { Capabilities } from "../../gpu/capabilities.ts";
import { divideCeil } from "../../gpu/dispatch-grid.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { Route } from "../../gpu/kernel.ts";
import { numberToF16Bits } from "../../quant/f16.ts";
import { elementBytes, ELEMENTWISE_WORKGROUP_SIZE, wordGrid } from "../shared/element-type.ts";
import type { ElementType } from "../shared/element-type.ts";
import invocationIndex from "../shared/invocation-index.wgsl";
import source from "./fill.wgsl";

/** What is fixed about a tensor of one value. */
export interface FillShape {
  readonly type: ElementType;
  readonly value: number;
}

/** A word of nothing but `value`. */
function wordOf({ type, value }: FillShape): number {
  switch (type) {
    case "f32":
      return new Uint32Array(Float32Array.of(value).buffer)[0] ?? 0;
    case "f16":
      return numberToF16Bits(value) * 0x10001;
    case "i32":
      return value >>> 0;
    case "i8":
    case "u8":
      return (value & 255) * 0x01010101;
    case "bool":
      return value === 0 ? 0 : 0x01010101;
    default:
      return type satisfies never;
  }
}

/** `aten.full`, `zeros`, `ones`, `scalar_tensor`: operand out, of `count` elements. */
export function fill(
  shape: FillShape,
  capabilities: Capabilities,
): Route<{ readonly count: number }> {
  const bytes = elementBytes(shape.type);
  const bits = wordOf(shape);
  const kernel = defineKernel({
    label: "fill",
    parts: [invocationIndex, source],
    overrides: { WORKGROUP_SIZE: ELEMENTWISE_WORKGROUP_SIZE },
  });
  return {
    name: "fill",
    scratch: {},
    dispatches: [
      {
        kernel,
        bind: { out: "out" },
        params: ({ count }) => ({ words: divideCeil(count * bytes, 4), bits }),
        grid: ({ count }) => wordGrid(count, bytes, capabilities),
      },
    ],
  };
}
