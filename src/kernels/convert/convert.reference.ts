import { f16BitsToNumber, numberToF16Bits } from "../../quant/f16.ts";
import type { ElementType } from "../shared/element-type.ts";

function convertOne(to: ElementType, value: number): number {
  switch (to) {
    case "f32":
      return Math.fround(value);
    case "f16":
      return f16BitsToNumber(numberToF16Bits(value));
    case "bool":
      return value === 0 ? 0 : 1;
    case "i32":
      return Math.trunc(value);
    case "i8":
      return (Math.trunc(value) << 24) >> 24;
    case "u8":
      return Math.trunc(value) & 255;
    default:
      return to satisfies never;
  }
}

/** {@link convert} of numbers. */
export function convertReference(to: ElementType, values: ArrayLike<number>): Float64Array {
  return Float64Array.from(values, (value) => convertOne(to, value));
}
