import { describe, expect, test } from "vitest";
import { FormatError, RequestError } from "./errors.ts";
import { memorySource } from "./memory-source.ts";

const bytes = () => Uint8Array.from({ length: 10 }, (_, i) => i);

describe("memorySource", () => {
  test("reads ranges of arrays and buffers", async () => {
    for (const held of [bytes(), bytes().buffer]) {
      const source = memorySource(held, "ten");
      expect([source.name, source.byteLength]).toEqual(["ten", 10]);
      expect([...(await source.read(7, 3))]).toEqual([7, 8, 9]);
      expect((await source.read(10, 0)).length).toBe(0);
    }
  });

  test("what it returns is a copy", async () => {
    const held = bytes();
    const read = await memorySource(held).read(0, 4);
    read.fill(99);
    expect(held).toEqual(bytes());
  });

  test("ranges past the end, nonsense ranges, closing and aborting", async () => {
    const source = memorySource(bytes(), "ten");
    await expect(source.read(8, 3)).rejects.toThrow(FormatError);
    await expect(source.read(-1, 3)).rejects.toThrow(RequestError);
    await expect(source.read(0.5, 1)).rejects.toThrow(RequestError);
    const reason = new Error("stop");
    await expect(source.read(0, 1, AbortSignal.abort(reason))).rejects.toBe(reason);
    await source.close();
    await expect(source.read(0, 1)).rejects.toThrow(RequestError);
  });
});
