import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FileTuningStore, tuningStore } from "./tuning-store.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tetrad-tuning-"));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

test("keeps what is written under a name", async () => {
  const store = new FileTuningStore(join(folder, "made", "when needed"));
  expect(await store.read("gpu")).toBeUndefined();
  await store.write("gpu", "one");
  await store.write("other", "two");
  await store.write("gpu", "three");
  expect(await store.read("gpu")).toBe("three");
  expect(await store.read("other")).toBe("two");
});

test("many writers leave one whole text and nothing else", async () => {
  const store = new FileTuningStore(folder);
  const texts = Array.from({ length: 20 }, (_, i) => String(i).repeat(10_000));
  await Promise.all(texts.map((text) => store.write("gpu", text)));
  expect(texts).toContain(await store.read("gpu"));
  expect(await readdir(folder)).toEqual(["gpu.json"]);
});

test("a file too large to be ours is not read", async () => {
  await writeFile(join(folder, "gpu.json"), "x".repeat(2 ** 20 + 1));
  expect(await new FileTuningStore(folder).read("gpu")).toBeUndefined();
});

test("a write that fails leaves nothing behind", async () => {
  await mkdir(join(folder, "gpu.json"));
  await expect(new FileTuningStore(folder).write("gpu", "text")).rejects.toThrow();
  expect(await readdir(folder)).toEqual(["gpu.json"]);
});

test.runIf(process.platform !== "win32")("is in the user's cache folder", async () => {
  vi.stubEnv("XDG_CACHE_HOME", folder);
  await tuningStore().write("gpu", "text");
  expect(await readdir(join(folder, "tetrad", "tuning"))).toEqual(["gpu.json"]);
});
