import type { ByteSource } from "../byte-source.ts";
import { RequestError } from "../errors.ts";
import { checkRange } from "../check-range.ts";

/** A `Blob` or `File` as a source: ranges are sliced, nothing else is held in memory. */
export function blobSource(blob: Blob, name?: string): ByteSource {
  const label = name ?? ("name" in blob && typeof blob.name === "string" ? blob.name : "blob");
  let held: Blob | undefined = blob;
  const byteLength = blob.size;
  return {
    name: label,
    byteLength,
    async read(offset, length, signal) {
      signal?.throwIfAborted();
      if (held === undefined) throw new RequestError(`${label}: read after close`);
      checkRange({ name: label, byteLength }, offset, length);
      const part = await held
        .slice(offset, offset + length)
        .arrayBuffer()
        .catch((error: unknown) => {
          // What a browser says of a file that changed on disk after the user had chosen it.
          throw new RequestError(`${label}: cannot be read any more; did the file change?`, {
            cause: error,
          });
        });
      signal?.throwIfAborted();
      return new Uint8Array(part);
    },
    async close() {
      held = undefined;
    },
  };
}
