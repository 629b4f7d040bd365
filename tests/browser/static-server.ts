import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".json": "application/json",
};

/** Nothing inline, no eval, no other origin: what a careful site allows. */
const POLICY = "default-src 'self'";

export interface StaticServer {
  readonly origin: string;
  /** `METHOD path range` of every request so far. */
  readonly requests: readonly string[];
  close(): Promise<void>;
}

/** The file a path means: of the longest prefix that matches, below its folder. */
function resolvePath(folders: Readonly<Record<string, string>>, path: string): string | undefined {
  const prefix = Object.keys(folders)
    .filter((candidate) => path.startsWith(candidate))
    .sort((a, b) => b.length - a.length)[0];
  if (prefix === undefined) return undefined;
  const below = normalize(`/${path.slice(prefix.length)}`);
  return join(folders[prefix]!, below);
}

async function answer(
  folders: Readonly<Record<string, string>>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  // Browsers ask by themselves, and log an error where there is none.
  if (request.url === "/favicon.ico") return void response.writeHead(204).end();
  const path = decodeURIComponent(new URL(request.url ?? "/", "http://localhost").pathname);
  const file = resolvePath(folders, path);
  const found = file === undefined ? undefined : await stat(file).catch(() => undefined);
  response.setHeader("content-security-policy", POLICY);
  if (file === undefined || found?.isFile() !== true) {
    response.writeHead(404).end();
    return;
  }
  const { size, mtimeMs } = found;
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
  const start = Number(range?.[1] ?? 0);
  const end = range?.[2] ? Math.min(Number(range[2]) + 1, size) : size;
  if (start >= end && size > 0) {
    response.writeHead(416, { "content-range": `bytes */${size}` }).end();
    return;
  }
  response.writeHead(range === null ? 200 : 206, {
    "content-type": TYPES[extname(file)] ?? "application/octet-stream",
    "content-length": end - start,
    "accept-ranges": "bytes",
    etag: `"${size}-${mtimeMs}"`,
    ...(range === null ? {} : { "content-range": `bytes ${start}-${end - 1}/${size}` }),
  });
  if (request.method === "HEAD" || size === 0) response.end();
  else createReadStream(file, { start, end: end - 1 }).pipe(response);
}

/** Serves folders by path prefix on localhost, with ranges and a strict content security policy. */
export async function startStaticServer(
  folders: Readonly<Record<string, string>>,
): Promise<StaticServer> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url} ${request.headers.range ?? ""}`.trimEnd());
    answer(folders, request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    // A secure context, which WebGPU needs.
    origin: `http://localhost:${(server.address() as AddressInfo).port}`,
    requests,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}
