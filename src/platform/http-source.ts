import type { ByteSource } from "../byte-source.ts";
import { FormatError, RequestError } from "../errors.ts";
import { memorySource } from "../memory-source.ts";
import { checkRange } from "../check-range.ts";
import { chunksOf, request, retrying, TransientError } from "./http-request.ts";
import type { Body, RetryOptions } from "./http-request.ts";

export interface HttpSourceOptions extends RetryOptions {
  /** Most to download at once from a server without range requests. Default 512 MiB. */
  readonly maxWholeBytes?: number;
}

/** Asked for when opening: the answer tells the length, and a model's header is read first anyway. */
const PREFIX_BYTES = 64 * 2 ** 10;
/** A file of that size is still held in memory without harm. */
const MAX_WHOLE_BYTES = 512 * 2 ** 20;

/** What a response says about the version of the file that it comes from. */
interface Version {
  readonly etag: string | null;
  readonly modified: string | null;
}

const CONTENT_RANGE = /^bytes (\d+)-(\d+)\/(\d+|\*)$/;

const versionOf = ({ headers }: Response): Version => ({
  etag: headers.get("etag"),
  modified: headers.get("last-modified"),
});

/** A header that one of the two lacks (a proxy, or CORS hiding it) proves nothing. */
function differs(a: string | null, b: string | null): boolean {
  return a !== null && b !== null && a !== b;
}

/** A file on a server that answers range requests. */
class RangedFile {
  readonly url: string;
  readonly byteLength: number;
  readonly version: Version;

  constructor(url: string, byteLength: number, version: Version) {
    this.url = url;
    this.byteLength = byteLength;
    this.version = version;
  }

  /**
   * The body of bytes `[start, end)`. Every answer's validators are compared with the first's: what
   * `If-Range` would do, but that header is not CORS-safelisted, so it would cost a preflight
   * request that many model hosts refuse.
   */
  async body(start: number, end: number, signal: AbortSignal | undefined): Promise<Body> {
    const response = await request(this.url, {
      headers: { range: `bytes=${start}-${end - 1}` },
      ...(signal === undefined ? {} : { signal }),
    });
    try {
      this.#check(response, start, end);
    } catch (error) {
      await response.body?.cancel();
      throw error;
    }
    return chunksOf(response, signal);
  }

  #check(response: Response, start: number, end: number): void {
    const { etag, modified } = versionOf(response);
    const range = CONTENT_RANGE.exec(response.headers.get("content-range") ?? "");
    const total = range?.[3] ?? "*";
    if (
      response.status === 416 ||
      differs(etag, this.version.etag) ||
      differs(modified, this.version.modified) ||
      (total !== "*" && Number(total) !== this.byteLength)
    ) {
      throw new RequestError(`${this.url}: the file changed on the server while it was read`);
    }
    if (response.status !== 206) {
      throw new RequestError(
        `${this.url}: the server answered a range request with HTTP status ${response.status}, ` +
          "though it had answered 206 before",
      );
    }
    if (range !== null && (Number(range[1]) !== start || Number(range[2]) !== end - 1)) {
      throw new RequestError(
        `${this.url}: asked for bytes ${start}-${end - 1}, got ${range[1]}-${range[2]}`,
      );
    }
  }

  /** Reads bytes `[offset, offset + length)`, resuming in the middle after a dropped connection. */
  async read(offset: number, length: number, options: RetryOptions): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    let done = 0;
    await retrying(this.url, options, async (onProgress) => {
      if (done === length) return;
      for await (const chunk of await this.body(offset + done, offset + length, options.signal)) {
        if (done + chunk.byteLength > length) {
          throw new RequestError(`${this.url}: the server sent more bytes than asked for`);
        }
        bytes.set(chunk, done);
        done += chunk.byteLength;
        onProgress();
      }
      if (done < length) throw new TransientError("connection ended early");
    });
    return bytes;
  }
}

/** Where CORS hides `Content-Range`, the length of a HEAD answer is still readable. */
async function headLength(url: string, signal: AbortSignal | undefined): Promise<number> {
  const { headers } = await request(url, {
    method: "HEAD",
    ...(signal === undefined ? {} : { signal }),
  });
  const length = headers.get("content-length");
  if (length === null || headers.get("content-encoding") !== null) {
    throw new RequestError(
      `${url}: the server does not tell the file's length: it must send Content-Range, and expose ` +
        "it to other origins (Access-Control-Expose-Headers)",
    );
  }
  return Number(length);
}

async function rangedSource(url: string, first: Response, options: HttpSourceOptions) {
  const range = CONTENT_RANGE.exec(first.headers.get("content-range") ?? "");
  const total = range?.[3] ?? "*";
  if (range !== null && Number(range[1]) !== 0) {
    await first.body?.cancel();
    throw new RequestError(`${url}: asked for bytes from 0, got them from ${range[1]}`);
  }
  const chunks: Uint8Array[] = [];
  let prefixLength = 0;
  for await (const chunk of chunksOf(first, options.signal)) {
    chunks.push(chunk);
    prefixLength += chunk.byteLength;
  }
  const byteLength = total === "*" ? await headLength(url, options.signal) : Number(total);
  if (prefixLength !== Math.min(PREFIX_BYTES, byteLength)) {
    throw new TransientError("connection ended early");
  }
  const prefix = memorySource(concatenate(chunks, prefixLength), url);
  const file = new RangedFile(url, byteLength, versionOf(first));
  let closed = false;
  const source: ByteSource = {
    name: url,
    byteLength,
    async read(offset, length, signal) {
      signal?.throwIfAborted();
      if (closed) throw new RequestError(`${url}: read after close`);
      checkRange({ name: url, byteLength }, offset, length);
      if (offset + length <= prefixLength) return prefix.read(offset, length, signal);
      const { retryDelayMs } = options;
      return file.read(offset, length, {
        ...(retryDelayMs === undefined ? {} : { retryDelayMs }),
        ...(signal === undefined ? {} : { signal }),
      });
    },
    async close() {
      closed = true;
      await prefix.close();
    },
  };
  return source;
}

function concatenate(chunks: readonly Uint8Array[], byteLength: number): Uint8Array {
  const bytes = new Uint8Array(byteLength);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}

/** The whole file in memory, from a server that ignores ranges. */
async function wholeSource(
  url: string,
  response: Response,
  { signal, maxWholeBytes = MAX_WHOLE_BYTES }: HttpSourceOptions,
): Promise<ByteSource> {
  const declared = response.headers.get("content-length");
  const encoded = response.headers.get("content-encoding") !== null;
  const tooLarge = () =>
    new RequestError(
      `${url}: the server does not answer range requests, and the file is larger than the ` +
        `${maxWholeBytes} bytes that are downloaded at once`,
    );
  if (Number(declared ?? 0) > maxWholeBytes) {
    await response.body?.cancel();
    throw tooLarge();
  }
  const chunks: Uint8Array[] = [];
  let byteLength = 0;
  for await (const chunk of chunksOf(response, signal)) {
    chunks.push(chunk);
    byteLength += chunk.byteLength;
    if (byteLength > maxWholeBytes) throw tooLarge();
  }
  if (declared !== null && !encoded && Number(declared) !== byteLength) {
    throw new TransientError("connection ended early");
  }
  return memorySource(concatenate(chunks, byteLength), url);
}

/**
 * A file behind a URL, read by range requests; dropped connections are resumed, and a file that
 * changes between two reads is noticed. From a server that ignores ranges a file of moderate size is
 * downloaded whole. Rejects with `RequestError`, or with the signal's reason.
 */
export async function httpSource(
  location: string | URL,
  options: HttpSourceOptions = {},
): Promise<ByteSource> {
  const url = String(location);
  const { signal } = options;
  signal?.throwIfAborted();
  return retrying(url, options, async () => {
    const response = await request(url, {
      headers: { range: `bytes=0-${PREFIX_BYTES - 1}` },
      ...(signal === undefined ? {} : { signal }),
    });
    if (response.status === 206) return rangedSource(url, response, options);
    if (response.status === 416) {
      await response.body?.cancel();
      // No first byte: the file is empty.
      if (response.headers.get("content-range") === "bytes */0") {
        return memorySource(new Uint8Array(0), url);
      }
      throw new FormatError(`${url}: HTTP status 416 for the first bytes of the file`);
    }
    return wholeSource(url, response, options);
  });
}
