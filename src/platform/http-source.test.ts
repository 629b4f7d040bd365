import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startFileServer } from "../../tests/support/file-server.ts";
import type { FileServer } from "../../tests/support/file-server.ts";
import { FormatError, RequestError } from "../errors.ts";
import { httpSource } from "./http-source.ts";

const FILE = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7 + (i >> 8)) & 0xff);
const PREFIX = "bytes=0-65535";

let server: FileServer;
beforeEach(async () => {
  server = await startFileServer(FILE);
});
afterEach(() => server.close());

const open = (options: { maxWholeBytes?: number } = {}) =>
  httpSource(server.url, { retryDelayMs: 1, ...options });

describe("ranges", () => {
  test("the first answer tells the length and serves reads of the header", async () => {
    const source = await open();
    expect(source.byteLength).toBe(FILE.length);
    expect(await source.read(10, 1000)).toEqual(FILE.slice(10, 1010));
    expect(server.requests).toEqual([PREFIX]);
  });

  test("later reads ask for exactly their bytes", async () => {
    const source = await open();
    expect(await source.read(65_530, 20)).toEqual(FILE.slice(65_530, 65_550));
    expect(await source.read(299_999, 1)).toEqual(FILE.slice(299_999));
    expect(server.requests).toEqual([PREFIX, "bytes=65530-65549", "bytes=299999-299999"]);
  });

  test("an empty read past the prefix asks for nothing", async () => {
    const source = await open();
    expect(await source.read(200_000, 0)).toHaveLength(0);
    expect(server.requests).toEqual([PREFIX]);
  });

  test("a range past the end is a FormatError, a nonsense one a RequestError", async () => {
    const source = await open();
    await expect(source.read(299_999, 2)).rejects.toThrow(FormatError);
    await expect(source.read(-1, 2)).rejects.toThrow(RequestError);
  });

  test("an empty file has no bytes", async () => {
    server.contents = new Uint8Array(0);
    expect((await open()).byteLength).toBe(0);
  });

  test("the length comes from HEAD where Content-Range is hidden", async () => {
    server.hideContentRange = true;
    const source = await open();
    expect(source.byteLength).toBe(FILE.length);
    expect(await source.read(100_000, 5)).toEqual(FILE.slice(100_000, 100_005));
  });

  test("reading after close fails", async () => {
    const source = await open();
    await source.close();
    await expect(source.read(0, 1)).rejects.toThrow(/after close/);
  });
});

describe("unreliable servers", () => {
  test("a dropped connection is resumed where it broke", async () => {
    const source = await open();
    server.drops = 2;
    server.dropAfterBytes = 1000;
    expect(await source.read(100_000, 10_000)).toEqual(FILE.slice(100_000, 110_000));
    const starts = server.requests.slice(1).map((range) => Number(/\d+/.exec(range)?.[0]));
    expect(starts).toEqual([100_000, 101_000, 102_000]);
  });

  test("a connection that drops while opening is tried again", async () => {
    server.drops = 1;
    expect((await open()).byteLength).toBe(FILE.length);
  });

  test("gives up when there is no progress", async () => {
    const source = await open();
    server.failures = Infinity;
    await expect(source.read(100_000, 10)).rejects.toThrow(
      /HTTP status 503; gave up after 4 attempts/,
    );
    expect(server.requests).toHaveLength(5);
  });

  test("a file that changed is noticed, by its tag or by its length", async () => {
    const source = await open();
    server.etag = '"two"';
    await expect(source.read(100_000, 10)).rejects.toThrow(/changed on the server/);
    server.etag = '"one"';
    server.contents = FILE.slice(0, 200_000);
    await expect(source.read(100_000, 10)).rejects.toThrow(/changed on the server/);
    await expect(source.read(250_000, 10)).rejects.toThrow(/changed on the server/);
  });

  test("a file that changes in the middle of a read is noticed at the resume", async () => {
    const source = await open();
    server.drops = 1;
    server.dropAfterBytes = 1000;
    const read = source.read(100_000, 10_000);
    server.etag = '"two"';
    await expect(read).rejects.toThrow(/changed on the server/);
  });

  test("404 is a RequestError with the address, and not retried", async () => {
    server.failures = Infinity;
    server.failureStatus = 404;
    await expect(open()).rejects.toThrow(RequestError);
    await expect(open()).rejects.toThrow(`${server.url}: HTTP status 404`);
    expect(server.requests).toHaveLength(2);
  });

  test("no server at all is a RequestError that says why", async () => {
    await server.close();
    await expect(open()).rejects.toThrow(/ECONNREFUSED/);
  });
});

describe("servers without ranges", () => {
  test("a small file is downloaded once", async () => {
    server.ignoreRanges = true;
    const source = await open();
    expect(await source.read(100_000, 10)).toEqual(FILE.slice(100_000, 100_010));
    expect(server.requests).toHaveLength(1);
  });

  test("a download that breaks starts again", async () => {
    server.ignoreRanges = true;
    server.drops = 1;
    server.dropAfterBytes = 1000;
    const source = await open();
    expect(Buffer.from(FILE).equals(await source.read(0, FILE.length))).toBe(true);
  });

  test("a large file is refused", async () => {
    server.ignoreRanges = true;
    await expect(open({ maxWholeBytes: 1000 })).rejects.toThrow(/does not answer range requests/);
  });

  test("ranges that stop being answered are an error, not wrong bytes", async () => {
    const source = await open();
    server.ignoreRanges = true;
    await expect(source.read(100_000, 10)).rejects.toThrow(/HTTP status 200/);
  });
});

describe("abort", () => {
  const reason = new Error("enough");

  test("while opening", async () => {
    server.stall = true;
    const controller = new AbortController();
    const opening = httpSource(server.url, { signal: controller.signal });
    setTimeout(() => controller.abort(reason), 20);
    await expect(opening).rejects.toBe(reason);
  });

  test("while reading", async () => {
    const source = await open();
    server.stall = true;
    const controller = new AbortController();
    const reading = source.read(100_000, 10, controller.signal);
    setTimeout(() => controller.abort(reason), 20);
    await expect(reading).rejects.toBe(reason);
  });

  test("while waiting to try again", async () => {
    const source = await httpSource(server.url, { retryDelayMs: 1e6 });
    server.failures = Infinity;
    const controller = new AbortController();
    const reading = source.read(100_000, 10, controller.signal);
    setTimeout(() => controller.abort(reason), 50);
    await expect(reading).rejects.toBe(reason);
  });
});
