import type { ByteSource } from "../../byte-source.ts";
import { blobSource } from "../blob-source.ts";

/** Collects a stream into a `Blob`, which browsers keep on disk where it is large. */
export async function streamSource(
  stream: ReadableStream<Uint8Array>,
  signal?: AbortSignal,
): Promise<ByteSource> {
  signal?.throwIfAborted();
  // The pass-through makes the collection end when the signal aborts, and cancels the stream.
  const guarded = stream.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array<ArrayBuffer>>({
      transform(chunk, controller) {
        controller.enqueue(chunk as Uint8Array<ArrayBuffer>);
      },
    }),
    signal === undefined ? {} : { signal },
  );
  return blobSource(await new Response(guarded).blob(), "stream");
}
