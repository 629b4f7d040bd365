import type { ByteSource } from "../../byte-source.ts";
import { RequestError } from "../../errors.ts";

/** Bytes of a source that were checked to exist and are not read yet. */
export interface ByteRange {
  readonly source: ByteSource;
  /** Absolute position in the source. */
  readonly offset: number;
  readonly byteLength: number;
}

/** Names of constants and where their bytes are: a program's named data, a `.ptd` file's. */
export type NamedData = ReadonlyMap<string, ByteRange>;

/**
 * Reads `length` bytes from `offset`, both relative to the range; all of it by default.
 * Throws `RequestError` where they pass the end of the range.
 */
export async function readRange(
  range: ByteRange,
  offset = 0,
  length = range.byteLength - offset,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const valid = Number.isInteger(offset) && Number.isInteger(length) && offset >= 0 && length >= 0;
  if (!valid || offset + length > range.byteLength) {
    throw new RequestError(
      `pte: ${range.source.name}: bytes ${offset}…${offset + length} of a range of ${range.byteLength}`,
    );
  }
  if (length === 0) return new Uint8Array(0);
  return range.source.read(range.offset + offset, length, signal);
}

/** Several maps of named data as one; the first that has a name wins. */
export function joinNamedData(...maps: readonly NamedData[]): NamedData {
  const joined = new Map<string, ByteRange>();
  for (const map of maps) {
    for (const [name, range] of map) if (!joined.has(name)) joined.set(name, range);
  }
  return joined;
}
