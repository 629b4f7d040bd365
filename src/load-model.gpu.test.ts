import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { requestTestDevice } from "../tests/support/gpu.ts";
import type { LoadOptions } from "./api.ts";
import { RequestError, UnsupportedError } from "./errors.ts";
import type { GpuDevice } from "./gpu/device.ts";
import { compare } from "./kernels/testing/compare.ts";
import { loadModel } from "./load-model.ts";
import { memorySource } from "./memory-source.ts";
import type { Model } from "./model.ts";

const STORIES = new URL("../models/stories-14m/", import.meta.url);
const FIXTURES = new URL("../tests/fixtures/pte/", import.meta.url);

const bytes = (name: string, base = STORIES) => new Uint8Array(readFileSync(new URL(name, base)));

interface Golden {
  readonly cases: readonly {
    readonly prompt: string;
    readonly prompt_tokens: readonly number[];
    readonly greedy_tokens: readonly number[];
    readonly top2_gap: readonly number[];
  }[];
}

const goldens = JSON.parse(new TextDecoder().decode(bytes("pte/golden.json"))) as Golden;

let gpu: GpuDevice;
/** The program, with caches that round nothing. */
let program: Model;
const exact: LoadOptions = { cacheType: "f32", contextLength: 64 };

beforeAll(async () => {
  gpu = await requestTestDevice();
  program = await loadProgram(exact);
});

afterAll(() => program.dispose());

const gguf = () => memorySource(bytes("stories-14m-q4_0.gguf"), "stories.gguf");

function loadProgram(options: LoadOptions = {}): Promise<Model> {
  const source = memorySource(bytes("pte/stories-14m-4w.pte"), "stories.pte");
  return loadModel(gpu, source, gguf(), options, () => {});
}

async function greedy(model: Model, prompt: readonly number[], maxTokens: number) {
  const { result } = await drain(model, prompt, maxTokens);
  return result.tokens;
}

async function drain(model: Model, prompt: readonly number[], maxTokens: number) {
  const generation = model.generate(prompt, { maxTokens });
  let text = "";
  for await (const piece of generation) text += piece.text;
  return { text, result: await generation.result };
}

/** Tokens before the first whose lead over the second was within the arithmetic's error. */
function decided(tokens: readonly number[], gaps: readonly number[], tolerance: number) {
  const close = gaps.findIndex((gap) => gap < tolerance);
  return close < 0 ? tokens : tokens.slice(0, close);
}

describe("a program as a language model", () => {
  test("says what it is", () => {
    expect(program.info).toMatchObject({
      name: "stories.pte",
      contextLength: 64,
      vocabularySize: 4096,
    });
    // 14.2 M with embedding and output as one, which the program has apart.
    expect(Math.round(program.info.parameters / 1e5)).toBe(157);
    expect(program.session.decoder.sequenceLength.max).toBe(64);
  });

  test("gives the golden tokens, from the logits of the golden prefill", async () => {
    const logits = new Float32Array(bytes("pte/stories-14m-4w.logits.bin").buffer);
    for (const [index, golden] of goldens.cases.slice(0, 2).entries()) {
      const { prompt, prompt_tokens, greedy_tokens, top2_gap } = golden;
      expect(program.tokenize(prompt)).toEqual(prompt_tokens);
      await greedy(program, prompt_tokens, 1);
      const expectedLogits = logits.subarray(index * 4096, (index + 1) * 4096);
      const found = await program.session.readLogits();
      const { failures, report } = compare(found, expectedLogits, { absolute: 1e-4, relative: 0 });
      expect(failures, report).toBe(0);

      const expected = decided(greedy_tokens.slice(0, 12), top2_gap, 1e-3);
      expect(expected.length).toBeGreaterThan(6);
      expect(await greedy(program, prompt_tokens, expected.length)).toEqual(expected);
    }
  });

  test("gives the same text as the GGUF file of the same model", async () => {
    const checkpoint = await loadModel(gpu, gguf(), undefined, exact, () => {});
    const ids = program.tokenize("The old dragon");
    expect(ids).toEqual(checkpoint.tokenize("The old dragon"));
    const [a, b] = [await drain(program, ids, 12), await drain(checkpoint, ids, 12)];
    expect(a.result.tokens).toEqual(b.result.tokens);
    expect(a.text).toBe(b.text);
    await checkpoint.dispose();
  });

  test("needs a tokenizer, and must be a language model", async () => {
    const source = memorySource(bytes("pte/stories-14m-4w.pte"), "stories.pte");
    await expect(loadModel(gpu, source, undefined, {}, () => {})).rejects.toThrow(RequestError);
    const other = memorySource(bytes("sdpa_gqa6_2_d64_c77_step.pte", FIXTURES), "sdpa.pte");
    await expect(loadModel(gpu, other, gguf(), {}, () => {})).rejects.toThrow(UnsupportedError);
  });
});
