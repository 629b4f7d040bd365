import { f16ToF32, f32ToF16 } from "../../quant/f16.ts";
import type { ElementType } from "../shared/element-type.ts";
import type { Expectation } from "./suite.ts";

/** Values as a tensor of a type holds them, and as numbers again. */
export interface StoredValues {
  readonly bytes: ArrayBufferView;
  readonly numbers: ArrayLike<number>;
}

/** Stores numbers, rounded to what the type can hold; bools are 0 or 1. */
export function storeValues(type: ElementType, values: ArrayLike<number>): StoredValues {
  const array = Array.from(values);
  const both = <T extends ArrayBufferView & ArrayLike<number>>(stored: T) => ({
    bytes: stored,
    numbers: stored,
  });
  switch (type) {
    case "f32":
      return both(Float32Array.from(array));
    case "f16": {
      const bits = f32ToF16(Float32Array.from(array));
      return { bytes: bits, numbers: f16ToF32(bits) };
    }
    case "i32":
      return both(Int32Array.from(array));
    case "i8":
      return both(Int8Array.from(array));
    case "u8":
      return both(Uint8Array.from(array));
    case "bool":
      return both(Uint8Array.from(array, (value) => (value === 0 ? 0 : 1)));
    default:
      return type satisfies never;
  }
}

/** How an expectation names a type: bools are bytes. */
export function expectationType(type: ElementType): Expectation["type"] {
  return type === "bool" ? "u8" : type;
}
