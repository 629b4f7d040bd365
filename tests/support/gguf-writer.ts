/**
 * Writes GGUF files for tests and benchmarks. Tensor data may be made while it is written, so that
 * files larger than memory can be. Nothing is checked but lengths: wrong files are wanted too.
 */
import { tensorType } from "../../src/formats/gguf/tensor-types.ts";

/** Value types by their number in the format. */
const VALUE_TYPES = [
  "u8",
  "i8",
  "u16",
  "i16",
  "u32",
  "i32",
  "f32",
  "bool",
  "string",
  "array",
  "u64",
  "i64",
  "f64",
] as const;

export type ScalarType = Exclude<(typeof VALUE_TYPES)[number], "array">;

const SCALAR_BYTES = {
  u8: 1,
  i8: 1,
  bool: 1,
  u16: 2,
  i16: 2,
  u32: 4,
  i32: 4,
  f32: 4,
  u64: 8,
  i64: 8,
  f64: 8,
} as const;

export type MetadataValue =
  { readonly type: ScalarType; readonly value: number | bigint | boolean | string } | MetadataArray;

export interface MetadataArray {
  readonly type: "array";
  readonly items: ScalarType | "array";
  readonly values: readonly (number | bigint | boolean | string | MetadataArray)[];
}

export const u32 = (value: number): MetadataValue => ({ type: "u32", value });
export const f32 = (value: number): MetadataValue => ({ type: "f32", value });
export const text = (value: string): MetadataValue => ({ type: "string", value });
export const flag = (value: boolean): MetadataValue => ({ type: "bool", value });
export const list = (
  items: MetadataArray["items"],
  values: MetadataArray["values"],
): MetadataArray => ({ type: "array", items, values });

/** Pieces of a tensor, in order. */
export type TensorPieces = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

export interface TensorToWrite {
  readonly name: string;
  /** GGML's name of the type: `Q4_0`. */
  readonly type: string;
  /** Row-major, outermost first. */
  readonly dims: readonly number[];
  readonly data: Uint8Array | (() => TensorPieces);
}

export interface GgufToWrite {
  readonly version?: number;
  readonly alignment?: number;
  readonly metadata: Readonly<Record<string, MetadataValue>>;
  readonly tensors: readonly TensorToWrite[];
}

/** A byte list that grows. */
class Bytes {
  #bytes = new Uint8Array(1 << 12);
  #view = new DataView(this.#bytes.buffer);
  length = 0;

  #grow(count: number): number {
    const at = this.length;
    this.length += count;
    if (this.length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.length, 2 * this.#bytes.length));
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }

  scalar(type: ScalarType, value: number | bigint | boolean | string): void {
    if (type === "string") {
      const encoded = new TextEncoder().encode(String(value));
      this.scalar("u64", encoded.length);
      const at = this.#grow(encoded.length);
      this.#bytes.set(encoded, at);
      return;
    }
    // Growing replaces the view: it comes first.
    const at = this.#grow(SCALAR_BYTES[type]);
    const view = this.#view;
    if (type === "f32") view.setFloat32(at, Number(value), true);
    else if (type === "f64") view.setFloat64(at, Number(value), true);
    else if (SCALAR_BYTES[type] === 8) view.setBigUint64(at, BigInt(value), true);
    else if (SCALAR_BYTES[type] === 4) view.setUint32(at, Number(value), true);
    else if (SCALAR_BYTES[type] === 2) view.setUint16(at, Number(value), true);
    else view.setUint8(at, Number(value));
  }

  array({ items, values }: MetadataArray): void {
    this.scalar("u32", VALUE_TYPES.indexOf(items));
    this.scalar("u64", values.length);
    for (const value of values) {
      if (typeof value === "object") this.array(value);
      else this.scalar(items as ScalarType, value);
    }
  }

  padTo(alignment: number): void {
    this.#grow((alignment - (this.length % alignment)) % alignment);
  }

  take(): Uint8Array {
    return this.#bytes.slice(0, this.length);
  }
}

const DEFAULT_ALIGNMENT = 32;

function typeOf(name: string) {
  for (let number = 0; ; number++) {
    const type = tensorType(number);
    if (type === undefined) throw new Error(`GGML has no type ${name}`);
    if (type.name === name) return { number, ...type };
  }
}

/** Bytes a tensor takes in the file. */
export function tensorByteLength({ type, dims }: TensorToWrite): number {
  const { blockSize, blockBytes } = typeOf(type);
  return (dims.reduce((product, dim) => product * dim, 1) / blockSize) * blockBytes;
}

const aligned = (length: number, alignment: number) => Math.ceil(length / alignment) * alignment;

/** The file up to its tensor data, padding included. */
export function ggufHeader(file: GgufToWrite): Uint8Array {
  const { version = 3, alignment = DEFAULT_ALIGNMENT, tensors } = file;
  const metadata: Record<string, MetadataValue> = { ...file.metadata };
  if (alignment !== DEFAULT_ALIGNMENT) metadata["general.alignment"] = u32(alignment);
  const out = new Bytes();
  out.scalar("u32", 0x46554747);
  out.scalar("u32", version);
  out.scalar("u64", tensors.length);
  out.scalar("u64", Object.keys(metadata).length);
  for (const [key, value] of Object.entries(metadata)) {
    out.scalar("string", key);
    out.scalar("u32", VALUE_TYPES.indexOf(value.type));
    if (value.type === "array") out.array(value);
    else out.scalar(value.type, value.value);
  }
  let offset = 0;
  for (const tensor of tensors) {
    out.scalar("string", tensor.name);
    out.scalar("u32", tensor.dims.length);
    for (const dim of tensor.dims.toReversed()) out.scalar("u64", dim);
    out.scalar("u32", typeOf(tensor.type).number);
    out.scalar("u64", offset);
    offset = aligned(offset + tensorByteLength(tensor), alignment);
  }
  out.padTo(alignment);
  return out.take();
}

/** Writes a file to `sink`, piece by piece, each awaited. Returns the file's length. */
export async function writeGguf(
  file: GgufToWrite,
  sink: (bytes: Uint8Array) => void | Promise<void>,
): Promise<number> {
  const { alignment = DEFAULT_ALIGNMENT } = file;
  let total = 0;
  const put = async (bytes: Uint8Array) => {
    total += bytes.length;
    await sink(bytes);
  };
  await put(ggufHeader(file));
  for (const tensor of file.tensors) {
    const end = total + tensorByteLength(tensor);
    const pieces = typeof tensor.data === "function" ? tensor.data() : [tensor.data];
    for await (const piece of pieces) await put(piece);
    if (total !== end) {
      throw new Error(`${tensor.name}: ${total - end} bytes more than its type and shape take`);
    }
    await put(new Uint8Array(aligned(total, alignment) - total));
  }
  return total;
}

/** A whole file in memory. */
export async function ggufBytes(file: GgufToWrite): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  const length = await writeGguf(file, (bytes) => void pieces.push(bytes));
  const out = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    out.set(piece, at);
    at += piece.length;
  }
  return out;
}
