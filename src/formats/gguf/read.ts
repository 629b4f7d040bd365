/**
 * Reads GGUF, versions 2 and 3 (github.com/ggml-org/ggml, docs/gguf.md): header, metadata and the
 * table of tensors. Tensor data is not touched. Everything a file says is checked before it is used.
 */
import type { ByteSource } from "../../byte-source.ts";
import { FormatError, UnsupportedError } from "../../errors.ts";
import { HeaderCursor } from "./header-cursor.ts";
import { readString, readValue } from "./read-value.ts";
import type { GgufValue } from "./read-value.ts";
import { SUPPORTED_TYPE_NAMES, tensorType } from "./tensor-types.ts";
import type { TensorType } from "./tensor-types.ts";

export type { GgufValue } from "./read-value.ts";

/** A tensor as the header describes it. */
export interface GgufTensorInfo {
  readonly name: string;
  /** Row-major, outermost first: the reverse of the file's order. */
  readonly dims: readonly number[];
  readonly type: TensorType;
  /** Absolute. */
  readonly offset: number;
  readonly byteLength: number;
}

export interface GgufFile {
  readonly version: number;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: readonly GgufTensorInfo[];
  /** Where tensor data begins, and the multiple its tensors begin at. */
  readonly dataOffset: number;
  readonly alignment: number;
}

const MAGIC = 0x46554747; // "GGUF", little endian
const VERSIONS: readonly number[] = [2, 3];

/** Real files have some fifty entries. */
const MAX_METADATA_ENTRIES = 2 ** 16;
/** The specification allows 64 bytes in a tensor's name and 2^16 − 1 in a key. */
const MAX_TENSOR_NAME_BYTES = 2 ** 10;
const MAX_KEY_BYTES = 2 ** 16;
/** The largest models have a few thousand tensors. */
const MAX_TENSORS = 2 ** 16;
const MAX_RANK = 4;
const DEFAULT_ALIGNMENT = 32;
/** Larger alignments are nonsense, and would let padding overflow. */
const MAX_ALIGNMENT = 2 ** 20;

/** Smallest entries, which bound a count by the bytes that are left. */
const MIN_METADATA_BYTES = 8 + 4 + 1;
const MIN_TENSOR_BYTES = 8 + 4 + 8 + 4 + 8;

/** A tensor as read, before its offset is resolved. */
interface RawTensor extends GgufTensorInfo {
  readonly relativeOffset: number;
}

async function readPreamble(cursor: HeaderCursor) {
  const { source } = cursor;
  if (source.byteLength < 24) {
    throw new FormatError(
      `gguf: ${source.name}: ${source.byteLength} bytes are too few for a header`,
    );
  }
  await cursor.need(24, "the header");
  const magic = cursor.u32();
  if (magic !== MAGIC) {
    throw new FormatError(
      `gguf: ${source.name}: begins with 0x${magic.toString(16).padStart(8, "0")}, not "GGUF"`,
    );
  }
  const version = cursor.u32();
  if (!VERSIONS.includes(version)) {
    // A big-endian file shows its version in the upper bytes.
    const bigEndian = version !== 0 && (version & 0xffff) === 0;
    throw new UnsupportedError(
      `gguf: ${source.name}: ${bigEndian ? "big-endian files are" : `version ${version} is`} ` +
        `not supported; supported: versions ${VERSIONS.join(" and ")}, little endian`,
    );
  }
  const tensorCount = cursor.size("the number of tensors");
  const metadataCount = cursor.size("the number of metadata entries");
  const refuse = (what: string, count: number, most: number) => {
    throw cursor.error(`${count} ${what}; at most ${most} are possible here`);
  };
  const mostTensors = Math.min(MAX_TENSORS, Math.floor(cursor.remaining / MIN_TENSOR_BYTES));
  const mostEntries = Math.min(
    MAX_METADATA_ENTRIES,
    Math.floor(cursor.remaining / MIN_METADATA_BYTES),
  );
  if (tensorCount > mostTensors) refuse("tensors", tensorCount, mostTensors);
  if (metadataCount > mostEntries) refuse("metadata entries", metadataCount, mostEntries);
  return { version, tensorCount, metadataCount };
}

async function readMetadata(
  cursor: HeaderCursor,
  count: number,
): Promise<ReadonlyMap<string, GgufValue>> {
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < count; i++) {
    const key = await readString(cursor, `metadata key ${i}`, MAX_KEY_BYTES);
    if (metadata.has(key)) throw cursor.error(`metadata key "${key}" occurs twice`);
    metadata.set(key, await readValue(cursor, `metadata "${key}"`));
  }
  return metadata;
}

function readAlignment(cursor: HeaderCursor, metadata: ReadonlyMap<string, GgufValue>): number {
  const alignment = metadata.get("general.alignment") ?? DEFAULT_ALIGNMENT;
  const ok =
    typeof alignment === "number" &&
    Number.isInteger(alignment) &&
    alignment >= 8 &&
    alignment <= MAX_ALIGNMENT &&
    alignment % 8 === 0;
  if (!ok) throw cursor.error(`general.alignment is ${String(alignment)}`);
  return alignment;
}

async function readTensor(cursor: HeaderCursor, index: number): Promise<RawTensor> {
  const name = await readString(cursor, `the name of tensor ${index}`, MAX_TENSOR_NAME_BYTES);
  const what = `tensor "${name}"`;
  await cursor.need(4, what);
  const rank = cursor.u32();
  if (rank < 1 || rank > MAX_RANK) throw cursor.error(`${what} has ${rank} dimensions`);
  await cursor.need(8 * rank + 12, what);
  const dims: number[] = [];
  let elements = 1;
  for (let axis = 0; axis < rank; axis++) {
    const dim = cursor.size(`dimension ${axis} of ${what}`);
    elements *= dim;
    if (dim < 1 || !Number.isSafeInteger(elements)) {
      throw cursor.error(`${what} has a dimension of ${dim}`);
    }
    dims.unshift(dim);
  }
  const number = cursor.u32();
  const type = tensorType(number);
  if (type === undefined) {
    throw new UnsupportedError(
      `gguf: ${cursor.source.name}: ${what}: type ${number} is not known; ` +
        `supported: ${SUPPORTED_TYPE_NAMES}`,
    );
  }
  const columns = dims.at(-1) ?? 0;
  if (columns % type.blockSize !== 0) {
    throw cursor.error(
      `${what} has rows of ${columns}, no multiple of ${type.name}'s ${type.blockSize}`,
    );
  }
  const relativeOffset = cursor.size(`the offset of ${what}`);
  const byteLength = (elements / type.blockSize) * type.blockBytes;
  return { name, dims, type, offset: 0, relativeOffset, byteLength };
}

function placeTensors(
  cursor: HeaderCursor,
  raw: readonly RawTensor[],
  dataOffset: number,
  alignment: number,
): GgufTensorInfo[] {
  const { byteLength: fileBytes } = cursor.source;
  const tensors = raw.map(({ relativeOffset, ...tensor }) => {
    const offset = dataOffset + relativeOffset;
    if (relativeOffset % alignment !== 0) {
      throw cursor.error(
        `tensor "${tensor.name}" begins at ${relativeOffset}, not aligned to ${alignment}`,
      );
    }
    if (!Number.isSafeInteger(offset) || offset + tensor.byteLength > fileBytes) {
      throw cursor.error(
        `tensor "${tensor.name}" takes ${tensor.byteLength} bytes at ${offset}; the file has ${fileBytes}`,
      );
    }
    return { ...tensor, offset };
  });
  let end = 0;
  for (const tensor of tensors.toSorted((a, b) => a.offset - b.offset)) {
    if (tensor.offset < end) throw cursor.error(`tensor "${tensor.name}" overlaps another`);
    end = tensor.offset + tensor.byteLength;
  }
  return tensors;
}

/**
 * Reads a file's header. Rejects with `FormatError` for files that are wrong, with
 * `UnsupportedError` for versions and tensor types that are not known. Tensors of a known type that
 * cannot be loaded are listed, and refused when they are asked for their values.
 */
export async function readGguf(source: ByteSource, signal?: AbortSignal): Promise<GgufFile> {
  const cursor = new HeaderCursor(source, signal);
  const { version, tensorCount, metadataCount } = await readPreamble(cursor);
  const metadata = await readMetadata(cursor, metadataCount);
  const alignment = readAlignment(cursor, metadata);
  const raw: RawTensor[] = [];
  const names = new Set<string>();
  for (let i = 0; i < tensorCount; i++) {
    const tensor = await readTensor(cursor, i);
    if (names.has(tensor.name)) throw cursor.error(`tensor "${tensor.name}" occurs twice`);
    names.add(tensor.name);
    raw.push(tensor);
  }
  const dataOffset = Math.ceil(cursor.offset / alignment) * alignment;
  return {
    version,
    metadata,
    tensors: placeTensors(cursor, raw, dataOffset, alignment),
    dataOffset,
    alignment,
  };
}
