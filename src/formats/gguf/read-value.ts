/** Metadata values of a GGUF header. */
import type { FormatError } from "../../errors.ts";
import type { HeaderCursor } from "./header-cursor.ts";

/** A metadata value. 64-bit integers are numbers where they are safe, else bigints. */
export type GgufValue = number | bigint | boolean | string | readonly GgufValue[];

/** The longest string: a chat template or a licence text, both far below. */
const MAX_STRING_BYTES = 2 ** 24;

/** The most elements of an array: four times the largest vocabulary's merges. */
const MAX_ARRAY_LENGTH = 2 ** 22;

/** How deep arrays may nest. Real files do not nest them at all. */
const MAX_ARRAY_DEPTH = 4;

/** What an array takes in memory beside its elements, in elements: nested ones may all be empty. */
const ARRAY_OVERHEAD = 16;

/** What they take at least, which bounds a count by the bytes that are left. */
const MIN_STRING_BYTES = 8;
const MIN_ARRAY_BYTES = 12;

const STRING = 8;
const ARRAY = 9;

interface ScalarType {
  readonly name: string;
  readonly bytes: number;
  readonly read: (cursor: HeaderCursor) => GgufValue;
}

function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** Value types by number (GGUF specification, `gguf_metadata_value_type`). */
const SCALARS: ReadonlyMap<number, ScalarType> = new Map<number, ScalarType>([
  [0, { name: "UINT8", bytes: 1, read: (cursor) => cursor.u8() }],
  [1, { name: "INT8", bytes: 1, read: (cursor) => cursor.i8() }],
  [2, { name: "UINT16", bytes: 2, read: (cursor) => cursor.u16() }],
  [3, { name: "INT16", bytes: 2, read: (cursor) => cursor.i16() }],
  [4, { name: "UINT32", bytes: 4, read: (cursor) => cursor.u32() }],
  [5, { name: "INT32", bytes: 4, read: (cursor) => cursor.i32() }],
  [6, { name: "FLOAT32", bytes: 4, read: (cursor) => cursor.f32() }],
  [7, { name: "BOOL", bytes: 1, read: readBool }],
  [10, { name: "UINT64", bytes: 8, read: (cursor) => narrow(cursor.u64()) }],
  [11, { name: "INT64", bytes: 8, read: (cursor) => narrow(cursor.i64()) }],
  [12, { name: "FLOAT64", bytes: 8, read: (cursor) => cursor.f64() }],
]);

function readBool(cursor: HeaderCursor): boolean {
  const byte = cursor.u8();
  if (byte > 1) throw cursor.error(`a boolean is ${byte}`);
  return byte === 1;
}

/** A length-prefixed string. */
export async function readString(
  cursor: HeaderCursor,
  what: string,
  maxBytes = MAX_STRING_BYTES,
): Promise<string> {
  await cursor.need(8, what);
  await cursor.need(8 + peekStringLength(cursor, what, maxBytes), what);
  return cursor.text(cursor.size(what));
}

function peekStringLength(cursor: HeaderCursor, what: string, maxBytes: number): number {
  const length = cursor.peekSize(`the length of ${what}`);
  if (length > maxBytes) {
    throw cursor.error(`${what} has ${length} bytes; at most ${maxBytes} are allowed`);
  }
  return length;
}

/** A string that is available already; undefined, with nothing taken, where bytes are to be read. */
function readStringNow(cursor: HeaderCursor, what: string): string | undefined {
  if (!cursor.has(8)) return undefined;
  if (!cursor.has(8 + peekStringLength(cursor, what, MAX_STRING_BYTES))) return undefined;
  return cursor.text(cursor.size(what));
}

async function readArray(
  cursor: HeaderCursor,
  what: string,
  depth: number,
): Promise<readonly GgufValue[]> {
  if (depth >= MAX_ARRAY_DEPTH) throw cursor.error(`${what}: arrays nest deeper than ${depth}`);
  await cursor.need(12, what);
  const type = cursor.u32();
  const length = cursor.size(`the length of ${what}`);
  const scalar = SCALARS.get(type);
  if (scalar === undefined && type !== STRING && type !== ARRAY)
    throw unknownType(cursor, what, type);
  const elementBytes = scalar?.bytes ?? (type === STRING ? MIN_STRING_BYTES : MIN_ARRAY_BYTES);
  const most = Math.min(MAX_ARRAY_LENGTH, Math.floor(cursor.remaining / elementBytes));
  if (length > most) {
    throw cursor.error(`${what} has ${length} elements; at most ${most} are possible here`);
  }
  cursor.countElements(ARRAY_OVERHEAD + length, what);
  const values: GgufValue[] = [];
  if (scalar !== undefined) {
    await cursor.need(length * scalar.bytes, what);
    for (let i = 0; i < length; i++) values.push(scalar.read(cursor));
  } else if (type === STRING) {
    // Without a promise for each: vocabularies have hundreds of thousands.
    for (let i = 0; i < length; i++) {
      values.push(readStringNow(cursor, what) ?? (await readString(cursor, what)));
    }
  } else {
    for (let i = 0; i < length; i++) values.push(await readArray(cursor, what, depth + 1));
  }
  return values;
}

function unknownType(cursor: HeaderCursor, what: string, type: number): FormatError {
  return cursor.error(`${what} has value type ${type}, which GGUF does not define`);
}

/** A value, its type first. */
export async function readValue(cursor: HeaderCursor, what: string): Promise<GgufValue> {
  await cursor.need(4, what);
  const type = cursor.u32();
  if (type === STRING) return readString(cursor, what);
  if (type === ARRAY) return readArray(cursor, what, 0);
  const scalar = SCALARS.get(type);
  if (scalar === undefined) throw unknownType(cursor, what, type);
  await cursor.need(scalar.bytes, what);
  return scalar.read(cursor);
}
