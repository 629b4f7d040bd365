import { fileURLToPath } from "node:url";
import type { ModelLocation } from "../../api.ts";
import type { ByteSource } from "../../byte-source.ts";
import { RequestError } from "../../errors.ts";
import { memorySource } from "../../memory-source.ts";
import { blobSource } from "../blob-source.ts";
import { httpSource } from "../http-source.ts";
import { fileSource } from "./file-source.ts";
import { streamSource } from "./stream-source.ts";

/** A scheme of at least two letters, so that `C:\model.gguf` stays a path. */
const URL_SCHEME = /^[a-z][a-z0-9+.-]+:\/\//i;

async function openUrl(url: URL, signal: AbortSignal | undefined): Promise<ByteSource> {
  switch (url.protocol) {
    case "file:":
      return fileSource(fileURLToPath(url));
    case "http:":
    case "https:":
      return httpSource(url, signal === undefined ? {} : { signal });
    default:
      throw new RequestError(
        `${url.href}: scheme ${url.protocol} is not supported; supported: file:, http:, https:`,
      );
  }
}

/** Opens what a user named as a model: a path, a URL, bytes, a stream, or a source as it is. */
export async function openSource(
  location: ModelLocation,
  signal?: AbortSignal,
): Promise<ByteSource> {
  signal?.throwIfAborted();
  if (typeof location === "string") {
    return URL_SCHEME.test(location) ? openUrl(new URL(location), signal) : fileSource(location);
  }
  if (location instanceof URL) return openUrl(location, signal);
  if (location instanceof ArrayBuffer || location instanceof Uint8Array) {
    return memorySource(location);
  }
  if (location instanceof Blob) return blobSource(location);
  if (location instanceof ReadableStream) return streamSource(location, signal);
  return location;
}
