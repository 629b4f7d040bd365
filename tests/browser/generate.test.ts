import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { Tetrad } from "../../src/node.ts";
import type { GeneratedPage } from "./generate-page.ts";
import { testPage } from "./page.ts";

// A prompt whose every step is decided by a wide margin.
const PROMPT = "The king said to his youngest son,";
const TOKENS = 24;
const FILE = "stories-14m-q4_0.gguf";
const models = fileURLToPath(new URL("../../models/stories-14m", import.meta.url));

const open = testPage(fileURLToPath(new URL("generate.html", import.meta.url)), {
  folders: { "/models": models },
  query: `?${new URLSearchParams({ model: `/models/${FILE}`, prompt: PROMPT, tokens: String(TOKENS) })}`,
});

test("the embedded model generates in Chromium what it generates in Node", async () => {
  const { page, errors, server } = open();
  const generated = await page.evaluate(
    () => (globalThis as unknown as { generated: Promise<GeneratedPage> }).generated,
  );
  expect(errors).toEqual([]);

  await using tetrad = await Tetrad.create({ forceSoftware: true });
  const model = await tetrad.load(`${models}/${FILE}`);
  const expected = await model.generate(PROMPT, { maxTokens: TOKENS }).result;
  expect(generated.result.tokens).toEqual(expected.tokens);
  expect(generated.result.text).toBe(expected.text);
  expect(generated.streamed).toBe(expected.text);
  expect(generated.fromBuffer).toEqual(expected.tokens.slice(0, 4));
  expect(await page.textContent("#story")).toBe(PROMPT + expected.text);

  // By ranges, not as one download, and with progress on the way.
  const ranges = server.requests.filter((line) => line.includes("bytes="));
  expect(ranges.length).toBeGreaterThan(1);
  const statuses = generated.progress.map(({ status }) => status);
  expect(new Set(statuses)).toEqual(new Set(["open", "weights", "compile", "ready"]));
  const { loaded, total } = generated.progress.at(-1)!;
  expect(loaded).toBe(total);
});
