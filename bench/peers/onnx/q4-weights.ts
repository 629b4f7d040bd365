/** A checkpoint's tensors in the forms that ONNX Runtime's 4-bit operators read. */
import type { CheckpointTensor, Q4Matrix, RowSource } from "../../../src/checkpoint.ts";
import { f16ToF32, f32ToF16 } from "../../../src/quant/f16.ts";
import type { OnnxGraph } from "./graph.ts";
import type { StoredBytes, WeightsFile } from "./weights-file.ts";

/** Rows are read as many at a time as make about this many bytes. */
const PIECE_BYTES = 2 ** 23;

/** Element type of activations, scales and caches. */
export type FloatType = "f16" | "f32";

export const floatBytes = (type: FloatType): number => (type === "f16" ? 2 : 4);

/**
 * A matrix as MatMulNBits and GatherBlockQuantized have it: unsigned nibbles, the even k in the low
 * half, zero at 8, and a scale per 32 of k. Nibbles are the checkpoint's planes byte for byte.
 */
export interface StoredMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly weight: StoredBytes;
  readonly scales: StoredBytes;
}

/** Order of a matrix's rows: `rowOf(row)` of the source becomes `row`. */
export type RowOrder = (row: number) => number;

/**
 * Rotated pairs (2i, 2i+1) of each head moved to (i, i + D/2), the order that ONNX Runtime's
 * attention is fast for. Both q and k move, so that their products stay.
 */
export function halfOrder(headSize: number): RowOrder {
  return (row) => {
    const [head, element] = [Math.floor(row / headSize), row % headSize];
    const half = headSize / 2;
    return head * headSize + (element < half ? 2 * element : 2 * (element - half) + 1);
  };
}

/** Stores matrices of the same columns as one, their rows below each other. */
export async function storeMatrix(
  file: WeightsFile,
  type: FloatType,
  parts: readonly { readonly matrix: Q4Matrix; readonly order?: RowOrder | undefined }[],
): Promise<StoredMatrix> {
  const columns = parts[0]?.matrix.columns ?? 0;
  const rows = parts.reduce((sum, { matrix }) => sum + matrix.rows, 0);
  for (const { matrix } of parts) {
    if (matrix.columns === columns && matrix.groupSize === 32 && matrix.scaleType === "f16")
      continue;
    throw new Error(
      `onnx: a matrix of ${matrix.columns} columns, groups of ${matrix.groupSize} and ` +
        `${matrix.scaleType} scales; must have ${columns}, 32 and f16`,
    );
  }
  const rowBytes = [columns / 2, (columns / 32) * floatBytes(type)] as const;
  const weight = file.reserve(rows * rowBytes[0]);
  const scales = file.reserve(rows * rowBytes[1]);
  let row = 0;
  for (const { matrix, order } of parts) {
    for await (const { start, planes } of pieces(matrix.data, order)) {
      const [nibbles = new Uint8Array(), halves = new Uint8Array()] = planes;
      await file.write(weight, (row + start) * rowBytes[0], nibbles);
      await file.write(scales, (row + start) * rowBytes[1], asFloats(halves, type));
    }
    row += matrix.rows;
  }
  return { rows, columns, weight, scales };
}

/**
 * Adds MatMulNBits of x with a stored matrix. `accuracyLevel` 4 allows it activations in int8, 0 does
 * not.
 */
export function addMatMulNBits(
  graph: OnnxGraph,
  name: string,
  x: string,
  { rows, columns, weight, scales }: StoredMatrix,
  type: FloatType,
  accuracyLevel: 0 | 4,
): string {
  const groups = columns / 32;
  const operands = [
    x,
    graph.stored(`${name}.weight`, "u8", [rows, groups, 16], weight),
    graph.stored(`${name}.scales`, type, [rows, groups], scales),
  ];
  const attributes = {
    N: rows,
    K: columns,
    bits: 4,
    block_size: 32,
    accuracy_level: accuracyLevel,
  };
  return graph.node("MatMulNBits", name, operands, attributes);
}

/** Stores a vector of f32 in the model's float type. */
export async function storeVector(
  file: WeightsFile,
  type: FloatType,
  values: Float32Array,
): Promise<StoredBytes> {
  const bytes = type === "f32" ? bytesOf(values) : bytesOf(f32ToF16(values));
  const place = file.reserve(bytes.byteLength);
  await file.write(place, 0, bytes);
  return place;
}

/** All values of a tensor as f32. */
export async function readVector(tensor: CheckpointTensor): Promise<Float32Array> {
  const source = tensor.f32();
  const [plane = new Uint8Array()] = await source.read(0, source.rows);
  return new Float32Array(plane.slice().buffer);
}

/** Reads rows in pieces; a matrix whose rows change their order is read whole. */
async function* pieces(data: RowSource, order: RowOrder | undefined) {
  const step = order === undefined ? Math.ceil(PIECE_BYTES / data.storedRowBytes) : data.rows;
  for (let start = 0; start < data.rows; start += step) {
    const planes = await data.read(start, Math.min(step, data.rows - start));
    yield {
      start,
      planes:
        order === undefined
          ? planes
          : planes.map((plane, i) => reorder(plane, data.planeRowBytes[i] ?? 0, order)),
    };
  }
}

function reorder(plane: Uint8Array, rowBytes: number, order: RowOrder): Uint8Array {
  const result = new Uint8Array(plane.byteLength);
  for (let row = 0; row * rowBytes < plane.byteLength; row++) {
    const source = order(row) * rowBytes;
    result.set(plane.subarray(source, source + rowBytes), row * rowBytes);
  }
  return result;
}

function asFloats(halves: Uint8Array, type: FloatType): Uint8Array {
  if (type === "f16") return halves;
  return bytesOf(f16ToF32(new Uint16Array(halves.slice().buffer)));
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
