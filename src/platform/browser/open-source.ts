import type { ModelLocation } from "../../api.ts";
import type { ByteSource } from "../../byte-source.ts";
import { RequestError } from "../../errors.ts";
import { memorySource } from "../../memory-source.ts";
import { blobSource } from "../blob-source.ts";
import { httpSource } from "../http-source.ts";
import { streamSource } from "./stream-source.ts";

/** What `fetch` can read. */
const SCHEMES: readonly string[] = ["http:", "https:", "blob:", "data:"];

function resolveUrl(location: string | URL): URL {
  const base = typeof document === "undefined" ? globalThis.location?.href : document.baseURI;
  let url: URL;
  try {
    url = new URL(location, base);
  } catch (error) {
    throw new RequestError(`${String(location)}: not a URL`, { cause: error });
  }
  if (!SCHEMES.includes(url.protocol)) {
    throw new RequestError(
      `${url.href}: scheme ${url.protocol} is not supported; supported: ${SCHEMES.join(", ")}`,
    );
  }
  return url;
}

/** Opens what a user named as a model: a URL (relative to the page), bytes, a file, a stream. */
export async function openSource(
  location: ModelLocation,
  signal?: AbortSignal,
): Promise<ByteSource> {
  signal?.throwIfAborted();
  if (typeof location === "string" || location instanceof URL) {
    return httpSource(resolveUrl(location), signal === undefined ? {} : { signal });
  }
  if (location instanceof ArrayBuffer || location instanceof Uint8Array) {
    return memorySource(location);
  }
  if (location instanceof Blob) return blobSource(location);
  if (location instanceof ReadableStream) return streamSource(location, signal);
  return location;
}
