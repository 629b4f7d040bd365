import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { requestTestDevice } from "../tests/support/gpu.ts";
import { RequestError } from "./errors.ts";
import type { DeviceOptions } from "./gpu/device.ts";
import { loadModel } from "./load-model.ts";
import { memorySource } from "./memory-source.ts";

const STORIES = new URL("../models/stories-14m/stories-14m-q4_0.gguf", import.meta.url);
const PROMPT = "Once upon a time";

async function loadStories(options: DeviceOptions = {}) {
  const gpu = await requestTestDevice(options);
  const source = memorySource(new Uint8Array(readFileSync(STORIES)), "stories.gguf");
  return loadModel(gpu, source, undefined, { contextLength: 32 }, () => {});
}

test("a profile has the text of a generation, and where its time went", async () => {
  const model = await loadStories();
  const expected = await model.generate(PROMPT, { maxTokens: 4 }).result;
  const { generation, timestamps, warnings, runs, kernels } = await model.profile(PROMPT, {
    maxTokens: 4,
  });
  expect(generation.tokens).toEqual(expected.tokens);
  expect(generation.text).toBe(expected.text);
  expect({ timestamps, warnings }).toEqual({ timestamps: true, warnings: [] });
  // The prompt is not taken from the cache that the generation left.
  expect(runs[0]).toMatchObject({ phase: "prefill", position: 0, tokens: expected.promptTokens });
  expect(runs.slice(1).map(({ phase }) => phase)).toEqual(["decode", "decode", "decode"]);
  for (const phase of ["prefill", "decode"] as const) {
    const records = runs.flatMap((run) => (run.phase === phase ? run.records : []));
    const calls = kernels[phase].reduce((sum, kernel) => sum + kernel.calls, 0);
    expect(calls).toBe(records.length);
    expect(kernels[phase].reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1);
  }
  await expect(model.profile(PROMPT, { maxTokens: 0 })).rejects.toThrow(RequestError);
  await expect(model.profile([])).rejects.toThrow(RequestError);
  await model.dispose();
});

test("without timestamps the text comes all the same, and the result says so", async () => {
  const model = await loadStories({ restrict: { timestamps: false } });
  const expected = await model.generate(PROMPT, { maxTokens: 3 }).result;
  const { generation, ...profile } = await model.profile(PROMPT, { maxTokens: 3 });
  expect(generation.tokens).toEqual(expected.tokens);
  expect(profile).toEqual({
    timestamps: false,
    warnings: [expect.stringContaining("no timestamp queries")],
    runs: [],
    kernels: { prefill: [], decode: [] },
  });
  await model.dispose();
});
