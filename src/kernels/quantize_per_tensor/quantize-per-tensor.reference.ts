import type { PerTensorShape, QuantizePerTensorShape } from "./quantize-per-tensor.ts";

/** One element of {@link quantizePerTensor}. */
export function quantizeReference(
  { scale, zeroPoint, quantMin, quantMax }: QuantizePerTensorShape,
  x: number,
): number {
  const inverse = Math.fround(1 / Math.fround(scale));
  const steps = Math.fround(x * inverse);
  const rounded = Math.abs(steps % 1) === 0.5 ? 2 * Math.round(steps / 2) : Math.round(steps);
  return Math.min(Math.max(rounded + zeroPoint, quantMin), quantMax);
}

/** One element of {@link dequantizePerTensor}, in float64. */
export function dequantizeReference({ scale, zeroPoint }: PerTensorShape, x: number): number {
  return (x - zeroPoint) * scale;
}
