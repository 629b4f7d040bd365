import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import type { ByteSource } from "../../byte-source.ts";
import { FormatError, RequestError } from "../../errors.ts";
import { checkRange } from "../../check-range.ts";

/** Most that one system call reads, so that an abort of a long read is noticed. */
const MAX_READ_BYTES = 16 * 2 ** 20;

/** An open file as a source, which owns the handle from then on. */
export function handleSource(handle: FileHandle, name: string, byteLength: number): ByteSource {
  let closed = false;
  return {
    name,
    byteLength,
    async read(offset, length, signal) {
      signal?.throwIfAborted();
      if (closed) throw new RequestError(`${name}: read after close`);
      checkRange({ name, byteLength }, offset, length);
      const bytes = new Uint8Array(length);
      let done = 0;
      while (done < length) {
        const wanted = Math.min(length - done, MAX_READ_BYTES);
        const { bytesRead } = await handle.read(bytes, done, wanted, offset + done);
        signal?.throwIfAborted();
        if (bytesRead === 0) {
          throw new FormatError(
            `${name}: the file ends at ${offset + done}; it had ${byteLength} bytes when it was opened`,
          );
        }
        done += bytesRead;
      }
      return bytes;
    },
    async close() {
      if (closed) return;
      closed = true;
      await handle.close();
    },
  };
}

const OPEN_FAILURES: Readonly<Record<string, string>> = {
  ENOENT: "no such file",
  ENOTDIR: "no such file",
  EACCES: "permission denied",
};

function openFailure(path: string, error: unknown): RequestError {
  const { code, message } = error as NodeJS.ErrnoException;
  const reason = OPEN_FAILURES[code ?? ""] ?? message;
  return new RequestError(`${path}: ${reason}`, { cause: error });
}

/** Opens a file. Rejects with `RequestError` where there is none or it is not a regular file. */
export async function fileSource(path: string): Promise<ByteSource> {
  const handle = await open(path, "r").catch((error: unknown) => {
    throw openFailure(path, error);
  });
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) {
      throw new RequestError(`${path}: is ${stat.isDirectory() ? "a folder" : "no regular file"}`);
    }
    return handleSource(handle, path, stat.size);
  } catch (error) {
    await handle.close();
    throw error;
  }
}
