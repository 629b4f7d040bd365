import type { RowSource } from "../../checkpoint.ts";
import { FormatError } from "../../errors.ts";
import { DTYPE_BYTES } from "../../graph/ir.ts";
import type { Dtype } from "../../graph/ir.ts";
import { asUint16, f16ToF32, f32ToF16 } from "../../quant/f16.ts";
import { readRange } from "./byte-range.ts";
import type { ByteRange } from "./byte-range.ts";
import type { VkDataType } from "./element-types.ts";

/** What a stored element type is computed in: nothing is computed in f16, nothing in 64 bits. */
export const COMPUTED_DTYPE: Readonly<Record<VkDataType, Dtype>> = {
  bool: "bool",
  u8: "u8",
  i8: "i8",
  i32: "i32",
  f16: "f32",
  f32: "f32",
  f64: "f32",
  i64: "i32",
};

const STORED_BYTES: Readonly<Record<VkDataType, number>> = {
  bool: 1,
  u8: 1,
  i8: 1,
  i32: 4,
  f16: 2,
  f32: 4,
  f64: 8,
  i64: 8,
};

function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function narrow64(bytes: Uint8Array, where: string): Int32Array {
  const wide = new BigInt64Array(bytes.slice().buffer);
  return Int32Array.from(wide, (value) => {
    if (value !== BigInt.asIntN(32, value)) {
      throw new FormatError(`${where}: ${value} does not fit 32 bits`);
    }
    return Number(value);
  });
}

/** Stored elements as `target` ones. */
function convert(bytes: Uint8Array, stored: VkDataType, target: Dtype, where: string): Uint8Array {
  if (stored === target) return bytes;
  if (stored === "i64") return bytesOf(narrow64(bytes, where));
  const floats =
    stored === "f16"
      ? f16ToF32(asUint16(bytes))
      : stored === "f64"
        ? Float32Array.from(new Float64Array(bytes.slice().buffer))
        : new Float32Array(bytes.slice().buffer);
  return bytesOf(target === "f16" ? f32ToF16(floats) : floats);
}

/**
 * A dense constant [dims], outermost dimension as rows, widened or narrowed to `target` while it is
 * read. Reading rejects with `FormatError` for a 64-bit integer that does not fit 32 bits.
 */
export function plainRows(
  range: ByteRange,
  dims: readonly number[],
  stored: VkDataType,
  target: Dtype,
): RowSource {
  const rows = dims[0] ?? 1;
  const width = dims.slice(1).reduce((product, dim) => product * dim, 1);
  const storedRowBytes = width * STORED_BYTES[stored];
  const where = `pte: ${range.source.name}: constant at byte ${range.offset}`;
  return {
    rows,
    storedRowBytes,
    planeRowBytes: [width * DTYPE_BYTES[target]],
    async read(start, count, signal) {
      const bytes = await readRange(range, start * storedRowBytes, count * storedRowBytes, signal);
      return [convert(bytes, stored, target, where)];
    },
  };
}
