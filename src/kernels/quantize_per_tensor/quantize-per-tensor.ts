import type { Capabilities } from "../../gpu/capabilities.ts";
import { elementwiseGrid } from "../../gpu/dispatch-grid.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { Route } from "../../gpu/kernel.ts";
import {
  ELEMENT_TYPE_PARTS,
  elementBytes,
  elementConstant,
  ELEMENTWISE_WORKGROUP_SIZE,
  wordGrid,
} from "../shared/element-type.ts";
import roundHalfEven from "../shared/round-half-even.wgsl";
import dequantizeSource from "./dequantize.wgsl";
import quantizeSource from "./quantize.wgsl";

/** What is fixed about quantising a tensor with one scale. */
export interface PerTensorShape {
  /** Of the quantised tensor. */
  readonly type: "i8" | "u8" | "i32";
  readonly scale: number;
  readonly zeroPoint: number;
}

/** What is fixed about `quantize_per_tensor`. */
export interface QuantizePerTensorShape extends PerTensorShape {
  readonly quantMin: number;
  readonly quantMax: number;
}

type Live = { readonly count: number };

const overrides = { WORKGROUP_SIZE: ELEMENTWISE_WORKGROUP_SIZE };

/**
 * `quantized_decomposed.quantize_per_tensor`: operands x f32, out, of `count` elements. As ATen does it,
 * x is multiplied by the f32 reciprocal of the scale; halves round to even. Bounds beyond 2^24 lose
 * bits.
 */
export function quantizePerTensor(
  { type, scale, zeroPoint, quantMin, quantMax }: QuantizePerTensorShape,
  capabilities: Capabilities,
): Route<Live> {
  const kernel = defineKernel({
    label: `quantize_per_tensor_${type}`,
    parts: [...ELEMENT_TYPE_PARTS, roundHalfEven, quantizeSource],
    constants: { TO: elementConstant(type) },
    overrides,
  });
  return {
    name: "quantize_per_tensor",
    scratch: {},
    dispatches: [
      {
        kernel,
        bind: { out: "out", x: "x" },
        params: ({ count }) => ({
          count,
          inverse_scale: 1 / Math.fround(scale),
          zero_point: zeroPoint,
          quant_min: quantMin,
          quant_max: quantMax,
        }),
        grid: ({ count }) => wordGrid(count, elementBytes(type), capabilities),
      },
    ],
  };
}

/** `quantized_decomposed.dequantize_per_tensor`: operands x, out f32, of `count` elements. */
export function dequantizePerTensor(
  { type, scale, zeroPoint }: PerTensorShape,
  capabilities: Capabilities,
): Route<Live> {
  const kernel = defineKernel({
    label: `dequantize_per_tensor_${type}`,
    parts: [...ELEMENT_TYPE_PARTS, dequantizeSource],
    constants: { FROM: elementConstant(type) },
    overrides,
  });
  return {
    name: "dequantize_per_tensor",
    scratch: {},
    dispatches: [
      {
        kernel,
        bind: { out: "out", x: "x" },
        params: ({ count }) => ({ count, scale, zero_point: zeroPoint }),
        grid: ({ count }) => elementwiseGrid(count, ELEMENTWISE_WORKGROUP_SIZE, capabilities),
      },
    ],
  };
}
