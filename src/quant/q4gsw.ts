/**
 * 4-bit group-wise symmetric matrices, as `et_vk.linear_q4gsw` defines the weight.
 *
 * - weight, u8 [N, pad8(K) / 2]: byte j of a row holds k = 2j in its low nibble and k = 2j + 1 in its
 *   high one, each as value + 8; the padding is nibble 8, which is 0.
 * - scales, row-major [N, K / groupSize], f32 or f16 bits.
 */
import { RequestError } from "../errors.ts";
import { F16_MAX, f16BitsToNumber, numberToF16Bits } from "./f16.ts";

/** Scales as f32, or as f16 bits. */
export type Q4Scales = Float32Array | Uint16Array;

/** A matrix [rows, columns] in memory. */
export interface Q4Planes {
  readonly rows: number;
  readonly columns: number;
  readonly groupSize: number;
  readonly weight: Uint8Array; // [rows, pad8(columns) / 2]
  readonly scales: Q4Scales; // [rows, columns / groupSize]
}

/** Bytes of a weight row of `columns` values: pad8(K) / 2. */
export function q4RowBytes(columns: number): number {
  return Math.ceil(columns / 8) * 4;
}

/** Packs integers −8 … 7, [rows, columns], into weight rows. */
export function packQ4(values: Int8Array, rows: number, columns: number): Uint8Array {
  requireLength("values", values.length, rows * columns);
  const rowBytes = q4RowBytes(columns);
  const weight = new Uint8Array(rows * rowBytes).fill(0x88);
  for (let row = 0; row < rows; row++) {
    for (let k = 0; k < columns; k++) {
      const value = values[row * columns + k] ?? 0;
      if (value < -8 || value > 7) {
        throw new RequestError(`q4: value ${value} at [${row}, ${k}] is outside -8 … 7`);
      }
      // XOR against nibble 8 is what filled the row: 8 ^ 8 leaves 0 to write over.
      weight[row * rowBytes + (k >> 1)]! ^= ((value + 8) ^ 8) << (4 * (k & 1));
    }
  }
  return weight;
}

/** The integers −8 … 7 of packed rows, [rows, columns]. */
export function unpackQ4(weight: Uint8Array, rows: number, columns: number): Int8Array {
  const rowBytes = q4RowBytes(columns);
  requireLength("weight", weight.length, rows * rowBytes);
  const values = new Int8Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let k = 0; k < columns; k++) {
      const byte = weight[row * rowBytes + (k >> 1)] ?? 0;
      values[row * columns + k] = ((byte >> (4 * (k & 1))) & 15) - 8;
    }
  }
  return values;
}

/**
 * Quantises a matrix [rows, columns], each group by Q4_0's rule (`quantizeQ4Groups`). Throws
 * `RequestError` where `columns` is not a multiple of `groupSize`, `groupSize` is odd or a value is
 * not representable.
 */
export function quantizeQ4(
  values: Float32Array,
  shape: { readonly rows: number; readonly columns: number; readonly groupSize: number },
  scaleType: "f16" | "f32",
): Q4Planes {
  const { rows, columns, groupSize } = shape;
  requireLength("values", values.length, rows * columns);
  if (columns % groupSize !== 0) {
    throw new RequestError(`q4: ${columns} columns are not a multiple of the group ${groupSize}`);
  }
  const groups = columns / groupSize;
  const rowBytes = q4RowBytes(columns);
  const weight = new Uint8Array(rows * rowBytes).fill(0x88);
  const scales =
    scaleType === "f16" ? new Uint16Array(rows * groups) : new Float32Array(rows * groups);
  for (let row = 0; row < rows; row++) {
    const lost = quantizeQ4Groups(
      values.subarray(row * columns, (row + 1) * columns),
      groupSize,
      weight.subarray(row * rowBytes, (row + 1) * rowBytes),
      scales.subarray(row * groups, (row + 1) * groups),
    );
    if (lost > 0) throw new RequestError(`q4: row ${row} holds NaN, infinity or too large a value`);
  }
  return { rows, columns, groupSize, weight, scales };
}

/**
 * Quantises consecutive groups by Q4_0's rule: scale = the value of largest magnitude / −8, nibble =
 * ⌊value / scale + 8.5⌋ clamped to 0 … 15, dividing by the scale before it is rounded to f16.
 * `groupSize` must be even, so that groups start on a byte.
 *
 * Returns how many groups hold a NaN, an infinity or a value that overflows the scale type; what is
 * written for those is meaningless.
 */
export function quantizeQ4Groups(
  values: Float32Array,
  groupSize: number,
  weight: Uint8Array,
  scales: Q4Scales,
): number {
  if (!(groupSize > 0) || groupSize % 2 !== 0) {
    throw new RequestError(`q4: group size ${groupSize} is not an even number`);
  }
  const half = scales instanceof Uint16Array;
  const largestScale = half ? F16_MAX : Number.MAX_VALUE;
  const groups = values.length / groupSize;
  let unrepresentable = 0;
  let byte = 0;
  for (let group = 0; group < groups; group++) {
    const start = group * groupSize;
    const end = start + groupSize;
    let extreme = 0;
    let magnitude = 0;
    let probe = 0; // becomes NaN with the first value that is not finite
    for (let i = start; i < end; i++) {
      const value = values[i]!;
      probe += value - value;
      if (Math.abs(value) > magnitude) {
        magnitude = Math.abs(value);
        extreme = value;
      }
    }
    const scale = extreme / -8;
    if (probe !== 0 || magnitude / 8 > largestScale) unrepresentable++;
    scales[group] = half ? numberToF16Bits(scale) : scale;
    // A group of zeros is nibble 8 throughout; any divisor does.
    const divisor = scale === 0 ? 1 : scale;
    for (let i = start; i < end; i += 2) {
      // value / divisor ≥ −8, so that truncation is ⌊⌋ and only the upper end needs clamping.
      const low = (values[i]! / divisor + 8.5) | 0;
      const high = (values[i + 1]! / divisor + 8.5) | 0;
      weight[byte++] = (low > 15 ? 15 : low) | ((high > 15 ? 15 : high) << 4);
    }
  }
  return unrepresentable;
}

/** One row in float64: what tests compare kernels with. */
export function dequantizeQ4Row(planes: Q4Planes, row: number): Float64Array {
  const { columns, groupSize, weight, scales } = planes;
  const start = row * q4RowBytes(columns);
  const scaleStart = row * (columns / groupSize);
  const out = new Float64Array(columns);
  for (let k = 0; k < columns;) {
    const stored = scales[scaleStart + k / groupSize] ?? 0;
    const scale = scales instanceof Uint16Array ? f16BitsToNumber(stored) : stored;
    for (const end = Math.min(columns, k + groupSize); k < end; k++) {
      out[k] = (((weight[start + (k >> 1)]! >> (4 * (k & 1))) & 15) - 8) * scale;
    }
  }
  return out;
}

/** The whole matrix as f32, [rows, columns]. */
export function dequantizeQ4(planes: Q4Planes): Float32Array {
  const out = new Float32Array(planes.rows * planes.columns);
  for (let row = 0; row < planes.rows; row++) {
    out.set(dequantizeQ4Row(planes, row), row * planes.columns);
  }
  return out;
}

/** Columns of scales that are transposed together, so that reads and writes stay in the cache. */
const TRANSPOSE_TILE = 64;

/**
 * ExecuTorch's scales [groups, pad4(rows)] as row-major [rows, groups]. Throws `RequestError` where
 * `source` is too short.
 */
export function transposeScales(source: Float32Array, rows: number, groups: number): Float32Array {
  const stride = Math.ceil(rows / 4) * 4;
  if (source.length < stride * groups) {
    throw new RequestError(
      `q4: ${source.length} scales are fewer than [${groups}, ${stride}] for ${rows} rows`,
    );
  }
  const out = new Float32Array(rows * groups);
  for (let tile = 0; tile < rows; tile += TRANSPOSE_TILE) {
    const end = Math.min(rows, tile + TRANSPOSE_TILE);
    for (let group = 0; group < groups; group++) {
      for (let row = tile; row < end; row++) {
        out[row * groups + group] = source[group * stride + row] ?? 0;
      }
    }
  }
  return out;
}

function requireLength(what: string, found: number, expected: number): void {
  if (found !== expected) {
    throw new RequestError(`q4: ${what} has ${found} elements; the shape needs ${expected}`);
  }
}
