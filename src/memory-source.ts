import type { ByteSource } from "./byte-source.ts";
import { checkRange } from "./check-range.ts";
import { RequestError } from "./errors.ts";

/**
 * Bytes that are already in memory, as a source. The array is not copied, reads are: what `read`
 * returns may be kept, changed or transferred.
 */
export function memorySource(bytes: Uint8Array | ArrayBuffer, name = "memory"): ByteSource {
  let held: Uint8Array | undefined = bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes);
  const byteLength = held.byteLength;
  return {
    name,
    byteLength,
    async read(offset, length, signal) {
      signal?.throwIfAborted();
      if (!held) throw new RequestError(`${name}: read after close`);
      checkRange({ name, byteLength }, offset, length);
      return held.slice(offset, offset + length);
    },
    async close() {
      held = undefined;
    },
  };
}
