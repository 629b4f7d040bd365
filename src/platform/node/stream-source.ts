import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ByteSource } from "../../byte-source.ts";
import { handleSource } from "./file-source.ts";

/**
 * Spools a stream to a temporary file, because a model is read out of order and may not fit in
 * memory. The file is unlinked as soon as it is open, so that not even a crash leaves it behind.
 */
export async function streamSource(
  stream: ReadableStream<Uint8Array>,
  signal?: AbortSignal,
): Promise<ByteSource> {
  const folder = await mkdtemp(join(tmpdir(), "tetrad-stream-"));
  const remove = () => rm(folder, { recursive: true, force: true });
  const handle = await open(join(folder, "spool"), "wx+").catch(async (error: unknown) => {
    await remove();
    throw error;
  });
  try {
    // Where an open file cannot be unlinked, it goes when the source is closed.
    await remove().catch(() => undefined);
    const byteLength = await spool(stream, (chunk) => handle.writeFile(chunk), signal);
    const source = handleSource(handle, "stream", byteLength);
    return {
      ...source,
      async close() {
        await source.close();
        await remove();
      },
    };
  } catch (error) {
    await handle.close();
    await remove();
    throw error;
  }
}

async function spool(
  stream: ReadableStream<Uint8Array>,
  write: (chunk: Uint8Array) => Promise<void>,
  signal: AbortSignal | undefined,
): Promise<number> {
  const reader = stream.getReader();
  // Cancelling settles a read that waits for a producer that may never send again.
  const onAbort = () => void reader.cancel(signal?.reason).catch(() => undefined);
  signal?.addEventListener("abort", onAbort, { once: true });
  let byteLength = 0;
  try {
    signal?.throwIfAborted();
    for (;;) {
      const { done, value } = await reader.read();
      signal?.throwIfAborted();
      if (done) return byteLength;
      await write(value);
      byteLength += value.byteLength;
    }
  } catch (error) {
    await reader.cancel(error).catch(() => undefined);
    throw error;
  } finally {
    signal?.removeEventListener("abort", onAbort);
    reader.releaseLock();
  }
}
