import type { ByteSource } from "./byte-source.ts";
import { FormatError, RequestError } from "./errors.ts";

/** Throws `RequestError` for a range that is none, `FormatError` for one that passes the end. */
export function checkRange(
  { name, byteLength }: Pick<ByteSource, "name" | "byteLength">,
  offset: number,
  length: number,
): void {
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0) {
    throw new RequestError(`${name}: cannot read ${length} bytes at ${offset}`);
  }
  if (offset + length > byteLength) {
    throw new FormatError(
      `${name}: ${length} bytes at ${offset} pass the end of the file at ${byteLength}`,
    );
  }
}
