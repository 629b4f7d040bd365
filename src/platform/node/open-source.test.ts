import { mkdir, mkdtemp, readdir, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { startFileServer } from "../../../tests/support/file-server.ts";
import type { ModelLocation } from "../../api.ts";
import { FormatError, RequestError } from "../../errors.ts";
import { openSource as openInBrowser } from "../browser/open-source.ts";
import { openSource } from "./open-source.ts";

const FILE = Uint8Array.from({ length: 100_000 }, (_, i) => (i * 31) & 0xff);
let folder: string;
let path: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tetrad-test-"));
  path = join(folder, "a model.gguf");
  await writeFile(path, FILE);
});
afterAll(() => rm(folder, { recursive: true }));

const streamOf = (chunks: readonly Uint8Array[]) =>
  new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });

const locations: Record<string, () => ModelLocation> = {
  "file: URL": () => pathToFileURL(path),
  "file: URL as a string": () => pathToFileURL(path).href,
  path: () => path,
  ArrayBuffer: () => FILE.buffer,
  Uint8Array: () => FILE,
  Blob: () => new Blob([FILE]),
  File: () => new File([FILE], "model.gguf"),
  stream: () => streamOf([FILE.slice(0, 30_000), FILE.slice(30_000)]),
};
const inBrowser = new Set(["ArrayBuffer", "Uint8Array", "Blob", "File", "stream"]);

describe.each(Object.keys(locations))("%s", (kind) => {
  const openers = inBrowser.has(kind) ? { openSource, openInBrowser } : { openSource };
  test.each(Object.entries(openers))("%s reads ranges exactly", async (_, open) => {
    const source = await open(locations[kind]!());
    expect(source.byteLength).toBe(FILE.length);
    expect(await source.read(29_990, 20)).toEqual(FILE.slice(29_990, 30_010));
    // As a Buffer: comparing arrays element by element takes seconds.
    expect(Buffer.from(FILE).equals(await source.read(0, FILE.length))).toBe(true);
    expect(await source.read(FILE.length, 0)).toHaveLength(0);
    await expect(source.read(FILE.length - 1, 2)).rejects.toThrow(FormatError);
    await expect(source.read(0.5, 2)).rejects.toThrow(RequestError);
    const aborted = AbortSignal.abort(new Error("enough"));
    await expect(source.read(0, 1, aborted)).rejects.toThrow("enough");
    await source.close();
    await source.close();
    await expect(source.read(0, 1)).rejects.toThrow(RequestError);
  });
});

test("http: URLs are read by range", async () => {
  const server = await startFileServer(FILE);
  const source = await openSource(server.url);
  expect(await source.read(90_000, 10)).toEqual(FILE.slice(90_000, 90_010));
  await server.close();
});

test("a ByteSource stays what it is", async () => {
  const source = await openSource(FILE);
  expect(await openSource(source)).toBe(source);
});

test("what cannot be opened says why", async () => {
  await expect(openSource(join(folder, "none"))).rejects.toThrow(/none: no such file/);
  await expect(openSource(folder)).rejects.toThrow(/is a folder/);
  await expect(openSource("ftp://example.org/x")).rejects.toThrow(/scheme ftp: is not supported/);
  await expect(openInBrowser("model.gguf")).rejects.toThrow(/not a URL/);
  await expect(openInBrowser(pathToFileURL(path))).rejects.toThrow(/scheme file: is not supp/);
});

test("a file that shrinks while it is read is a FormatError", async () => {
  const shrinking = join(folder, "shrinking");
  await writeFile(shrinking, FILE);
  const source = await openSource(shrinking);
  await truncate(shrinking, 50_000);
  await expect(source.read(40_000, 20_000)).rejects.toThrow(FormatError);
  await expect(source.read(40_000, 20_000)).rejects.toThrow(/ends at 50000; it had 100000/);
  await source.close();
});

describe("streams", () => {
  test("leave no file behind", async () => {
    const spools = join(folder, "spools");
    vi.stubEnv("TMPDIR", `${spools}/`);
    await mkdir(spools);
    const source = await openSource(streamOf([FILE]));
    expect(await source.read(1, 2)).toEqual(FILE.slice(1, 3));
    await source.close();
    const failing = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.error(new Error("broken stream"));
      },
    });
    await expect(openSource(failing)).rejects.toThrow("broken stream");
    expect(await readdir(spools)).toEqual([]);
    vi.unstubAllEnvs();
  });

  test.each([
    ["Node", openSource],
    ["a browser", openInBrowser],
  ])("are cancelled when the signal aborts, in %s", async (_, open) => {
    let cancelled: unknown;
    const endless = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(FILE);
      },
      cancel(reason) {
        cancelled = reason;
      },
    });
    const controller = new AbortController();
    const reason = new Error("enough");
    setTimeout(() => controller.abort(reason), 20);
    await expect(open(endless, controller.signal)).rejects.toBe(reason);
    expect(cancelled).toBe(reason);
  });
});
