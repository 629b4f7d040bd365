import { FormatError, UnsupportedError } from "../../errors.ts";

/** Element types a program's tensors may have. Quantised and packed types are not read. */
export type ScalarType =
  | "u8"
  | "i8"
  | "i16"
  | "i32"
  | "i64"
  | "f16"
  | "f32"
  | "f64"
  | "bool"
  | "bf16"
  | "u16"
  | "u32"
  | "u64";

/** Element types a delegate graph's tensors may have. */
export type VkDataType = "bool" | "u8" | "i8" | "i32" | "f16" | "f32" | "f64" | "i64";

/** Tensors have up to 16 dimensions in ExecuTorch. */
export const MAX_RANK = 16;

const SCALAR_TYPES: Readonly<Record<number, ScalarType>> = {
  0: "u8",
  1: "i8",
  2: "i16",
  3: "i32",
  4: "i64",
  5: "f16",
  6: "f32",
  7: "f64",
  11: "bool",
  15: "bf16",
  27: "u16",
  28: "u32",
  29: "u64",
};

const VK_DATA_TYPES: Readonly<Record<number, VkDataType>> = {
  0: "bool",
  1: "u8",
  2: "i8",
  3: "i32",
  4: "f16",
  5: "f32",
  6: "f64",
  7: "i64",
};

const ELEMENT_BYTES: Readonly<Record<ScalarType, number>> = {
  bool: 1,
  u8: 1,
  i8: 1,
  i16: 2,
  u16: 2,
  f16: 2,
  bf16: 2,
  i32: 4,
  u32: 4,
  f32: 4,
  i64: 8,
  u64: 8,
  f64: 8,
};

/** A program's `ScalarType` by number. Throws `UnsupportedError`. */
export function scalarType(value: number, where: string): ScalarType {
  return lookUp(SCALAR_TYPES, value, where);
}

/** A delegate graph's `VkDataType` by number. Throws `UnsupportedError`. */
export function vkDataType(value: number, where: string): VkDataType {
  return lookUp(VK_DATA_TYPES, value, where);
}

/**
 * Bytes of a dense tensor. Throws `FormatError` where a dimension is negative, there are too many,
 * or the product is not exact.
 */
export function tensorByteLength(type: ScalarType, dims: readonly number[], where: string): number {
  if (dims.length > MAX_RANK) {
    throw new FormatError(`${where}: ${dims.length} dimensions; a tensor has at most ${MAX_RANK}`);
  }
  let byteLength = ELEMENT_BYTES[type];
  for (const dim of dims) {
    if (dim < 0) throw new FormatError(`${where}: negative size in [${dims.join(", ")}]`);
    byteLength *= dim;
    if (!Number.isSafeInteger(byteLength)) {
      throw new FormatError(`${where}: [${dims.join(", ")}] is larger than any file`);
    }
  }
  return byteLength;
}

function lookUp<T extends string>(
  types: Readonly<Record<number, T>>,
  value: number,
  where: string,
): T {
  const type = types[value];
  if (type !== undefined) return type;
  const supported = Object.values(types).join(", ");
  throw new UnsupportedError(
    `${where}: element type ${value} is not supported; supported: ${supported}`,
  );
}
