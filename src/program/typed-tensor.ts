import { RequestError, UnsupportedError } from "../errors.ts";
import type { ScalarType } from "../formats/pte/element-types.ts";
import { DTYPE_BYTES } from "../graph/ir.ts";
import type { Dtype } from "../graph/ir.ts";
import { f16ToF32, f32ToF16 } from "../quant/f16.ts";

/** Arrays that hold elements: f16 as bits, bool as bytes 0 and 1. */
export type ElementArray =
  Float32Array | Float64Array | Int32Array | BigInt64Array | Int8Array | Uint8Array | Uint16Array;

/** A dense tensor in memory, row-major. */
export interface TypedTensor {
  readonly type: ScalarType;
  readonly dims: readonly number[];
  readonly data: ElementArray;
}

interface HostType {
  /** What it is on the GPU. */
  readonly dtype: Dtype;
  readonly matches: (data: ElementArray) => boolean;
  readonly encode: (data: ElementArray, where: string) => ArrayBufferView;
  readonly decode: (bytes: ArrayBuffer) => ElementArray;
}

function narrow(value: bigint, where: string): number {
  if (value !== BigInt.asIntN(32, value)) {
    throw new RequestError(`${where}: ${value} does not fit 32 bits`);
  }
  return Number(value);
}

const same = (data: ElementArray) => data;

const HOST_TYPES: Readonly<Partial<Record<ScalarType, HostType>>> = {
  f32: {
    dtype: "f32",
    matches: (data) => data instanceof Float32Array,
    encode: same,
    decode: (bytes) => new Float32Array(bytes),
  },
  f64: {
    dtype: "f32",
    matches: (data) => data instanceof Float64Array,
    encode: (data) => Float32Array.from(data as Float64Array),
    decode: (bytes) => Float64Array.from(new Float32Array(bytes)),
  },
  f16: {
    dtype: "f32",
    matches: (data) => data instanceof Uint16Array,
    encode: (data) => f16ToF32(data as Uint16Array),
    decode: (bytes) => f32ToF16(new Float32Array(bytes)),
  },
  i32: {
    dtype: "i32",
    matches: (data) => data instanceof Int32Array,
    encode: same,
    decode: (bytes) => new Int32Array(bytes),
  },
  i64: {
    dtype: "i32",
    matches: (data) => data instanceof BigInt64Array,
    encode: (data, where) =>
      Int32Array.from(data as BigInt64Array, (value) => narrow(value, where)),
    decode: (bytes) => BigInt64Array.from(new Int32Array(bytes), BigInt),
  },
  i8: {
    dtype: "i8",
    matches: (data) => data instanceof Int8Array,
    encode: same,
    decode: (bytes) => new Int8Array(bytes),
  },
  u8: {
    dtype: "u8",
    matches: (data) => data instanceof Uint8Array,
    encode: same,
    decode: (bytes) => new Uint8Array(bytes),
  },
  bool: {
    dtype: "bool",
    matches: (data) => data instanceof Uint8Array,
    encode: (data) => Uint8Array.from(data as Uint8Array, (value) => (value === 0 ? 0 : 1)),
    decode: (bytes) => new Uint8Array(bytes),
  },
};

function hostType(type: ScalarType): HostType {
  const found = HOST_TYPES[type];
  if (found === undefined) {
    const supported = Object.keys(HOST_TYPES).join(", ");
    throw new UnsupportedError(`program: tensors of ${type}; supported: ${supported}`);
  }
  return found;
}

/** Number of elements. */
export function countElements(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1);
}

/** What tensors of a type are on the GPU. Throws `UnsupportedError`. */
export function gpuType(type: ScalarType): Dtype {
  return hostType(type).dtype;
}

/** Bytes on the GPU, padded to words. */
export function gpuByteLength(dtype: Dtype, dims: readonly number[]): number {
  return Math.max(4, Math.ceil((countElements(dims) * DTYPE_BYTES[dtype]) / 4) * 4);
}

/**
 * A tensor's bytes as the GPU has them, padded to words. Throws `RequestError` for data of another
 * type or length, and for integers that do not fit 32 bits.
 */
export function encodeTensor(
  { type, dims, data }: TypedTensor,
  where: string,
): Uint8Array<ArrayBuffer> {
  const { dtype, matches, encode } = hostType(type);
  if (!matches(data)) {
    throw new RequestError(`${where}: ${data.constructor.name} for a tensor of ${type}`);
  }
  if (data.length !== countElements(dims)) {
    throw new RequestError(`${where}: ${data.length} elements for [${dims.join(", ")}]`);
  }
  const encoded = encode(data, where);
  const bytes = new Uint8Array(gpuByteLength(dtype, dims));
  bytes.set(new Uint8Array(encoded.buffer, encoded.byteOffset, encoded.byteLength));
  return bytes;
}

/** The reverse: what was read from the GPU, padding included, as a tensor of `type`. */
export function decodeTensor(
  type: ScalarType,
  dims: readonly number[],
  bytes: ArrayBuffer,
): TypedTensor {
  const { dtype, decode } = hostType(type);
  return { type, dims, data: decode(bytes.slice(0, countElements(dims) * DTYPE_BYTES[dtype])) };
}

const ARRAYS: Readonly<Partial<Record<ScalarType, (bytes: ArrayBuffer) => ElementArray>>> = {
  f32: (bytes) => new Float32Array(bytes),
  f64: (bytes) => new Float64Array(bytes),
  f16: (bytes) => new Uint16Array(bytes),
  i32: (bytes) => new Int32Array(bytes),
  i64: (bytes) => new BigInt64Array(bytes),
  i8: (bytes) => new Int8Array(bytes),
  u8: (bytes) => new Uint8Array(bytes),
  bool: (bytes) => new Uint8Array(bytes),
};

/** Little-endian bytes of a file as elements. Throws `UnsupportedError`. */
export function hostArray(type: ScalarType, bytes: Uint8Array): ElementArray {
  hostType(type);
  const make = ARRAYS[type] ?? ((buffer: ArrayBuffer) => new Uint8Array(buffer));
  return make(bytes.slice().buffer);
}
