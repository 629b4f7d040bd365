import { elementBytes } from "../shared/element-type.ts";
import { ramp } from "../testing/data.ts";
import { storeValues } from "../testing/stored-values.ts";
import { defineSuite } from "../testing/suite.ts";
import type { KernelCase } from "../testing/suite.ts";
import { dequantizePerTensor, quantizePerTensor } from "./quantize-per-tensor.ts";
import type { PerTensorShape, QuantizePerTensorShape } from "./quantize-per-tensor.ts";
import { dequantizeReference, quantizeReference } from "./quantize-per-tensor.reference.ts";

type Live = { readonly count: number };

function quantizeCase(
  count: number,
  shape: QuantizePerTensorShape,
  x: Float32Array<ArrayBuffer> = ramp(count, 101, 50, 12.5),
): KernelCase<Live> {
  const { type } = shape;
  return {
    name: `quantize ${type} ${count} scale ${shape.scale} zero ${shape.zeroPoint}`,
    route: (capabilities) => quantizePerTensor(shape, capabilities),
    expectRoute: () => "quantize_per_tensor",
    live: { count },
    operands: () => ({ x, out: { bytes: elementBytes(type) * count } }),
    expected: () => ({
      out: { type, values: Array.from(x, (value) => quantizeReference(shape, value)) },
    }),
    tolerance: { absolute: 0, relative: 0 },
  };
}

function dequantizeCase(count: number, shape: PerTensorShape): KernelCase<Live> {
  const { type } = shape;
  const x = storeValues(type, ramp(count, 256, type === "u8" ? 0 : 128, 1));
  return {
    name: `dequantize ${type} ${count} scale ${shape.scale} zero ${shape.zeroPoint}`,
    route: (capabilities) => dequantizePerTensor(shape, capabilities),
    expectRoute: () => "dequantize_per_tensor",
    live: { count },
    operands: () => ({ x: x.bytes, out: { bytes: 4 * count } }),
    expected: () => ({
      out: {
        type: "f32",
        values: Array.from(x.numbers, (value) => dequantizeReference(shape, value)),
      },
    }),
    tolerance: { absolute: 1e-7, relative: 1e-6 },
  };
}

const i8 = { type: "i8", quantMin: -128, quantMax: 127 } as const;
const u8 = { type: "u8", quantMin: 0, quantMax: 255 } as const;

export const quantizePerTensorSuite = defineSuite("quantize_per_tensor", [
  quantizeCase(37 * 41, { ...i8, scale: 0.037, zeroPoint: 3 }),
  // Clamped at both ends.
  quantizeCase(131, { ...i8, scale: 0.011, zeroPoint: -20 }),
  quantizeCase(130, { ...u8, scale: 0.03, zeroPoint: 128 }),
  // Halves.
  quantizeCase(65, { ...i8, scale: 0.5, zeroPoint: 1 }, ramp(65, 65, 32, 4)),
  quantizeCase(99, { type: "i32", quantMin: -100, quantMax: 100, scale: 0.1, zeroPoint: 0 }),
  dequantizeCase(259, { type: "i8", scale: 0.037, zeroPoint: 3 }),
  dequantizeCase(257, { type: "u8", scale: 0.5, zeroPoint: 128 }),
  dequantizeCase(100, { type: "i32", scale: 0.25, zeroPoint: -7 }),
]);
