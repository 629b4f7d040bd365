import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** How the server misbehaves; may be changed between requests. */
export interface FileServer {
  readonly url: string;
  /** `Range` headers of the requests so far, "" for those without. */
  readonly requests: string[];
  contents: Uint8Array;
  etag: string;
  /** Answers every request with the whole file, as if it had no range. */
  ignoreRanges: boolean;
  /** Breaks this many of the next answers after `dropAfterBytes` of the body. */
  drops: number;
  dropAfterBytes: number;
  /** Status for this many of the next requests. */
  failures: number;
  failureStatus: number;
  /** Leaves `Content-Range` out, as CORS does where a host exposes no headers. */
  hideContentRange: boolean;
  /** Sends the headers and then nothing. */
  stall: boolean;
  close(): Promise<void>;
}

function parseRange(header: string, byteLength: number): [start: number, end: number] {
  const [, start = "0", last = ""] = /^bytes=(\d+)-(\d*)$/.exec(header) ?? [];
  return [Number(start), last === "" ? byteLength : Math.min(Number(last) + 1, byteLength)];
}

function answer(state: FileServer, request: IncomingMessage, response: ServerResponse): void {
  const header = request.headers.range ?? "";
  state.requests.push(header);
  if (state.failures > 0) {
    state.failures -= 1;
    response.writeHead(state.failureStatus).end();
    return;
  }
  const { contents } = state;
  const ranged = header !== "" && !state.ignoreRanges;
  const [start, end] = ranged ? parseRange(header, contents.length) : [0, contents.length];
  if (ranged && start >= contents.length) {
    response.writeHead(416, { "content-range": `bytes */${contents.length}` }).end();
    return;
  }
  response.writeHead(ranged ? 206 : 200, {
    "content-length": end - start,
    etag: state.etag,
    ...(ranged && !state.hideContentRange
      ? { "content-range": `bytes ${start}-${end - 1}/${contents.length}` }
      : {}),
  });
  if (request.method === "HEAD") return void response.end();
  if (state.stall) return response.flushHeaders();
  if (state.drops > 0) {
    state.drops -= 1;
    response.write(contents.subarray(start, Math.min(end, start + state.dropAfterBytes)), () =>
      response.destroy(),
    );
    return;
  }
  response.end(contents.subarray(start, end));
}

/** Serves one file on localhost and misbehaves as told. */
export async function startFileServer(contents: Uint8Array): Promise<FileServer> {
  const server = createServer((request, response) => answer(state, request, response));
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  const state: FileServer = {
    url: `http://127.0.0.1:${port}/model.gguf`,
    requests: [],
    contents,
    etag: '"one"',
    ignoreRanges: false,
    drops: 0,
    dropAfterBytes: 0,
    failures: 0,
    failureStatus: 503,
    hideContentRange: false,
    stall: false,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
  return state;
}
