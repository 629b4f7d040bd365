import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { requestTestDevice } from "../tests/support/gpu.ts";
import type { LoadOptions } from "./api.ts";
import { RequestError, UnsupportedError } from "./errors.ts";
import type { GpuDevice } from "./gpu/device.ts";
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

const golden = JSON.parse(new TextDecoder().decode(bytes("pte/golden.json"))) as Golden;

let gpu: GpuDevice;
beforeAll(async () => {
  gpu = await requestTestDevice();
});

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
  test("says what it is", async () => {
    const model = await loadProgram();
    expect(model.info).toMatchObject({
      name: "stories.pte",
      contextLength: 512,
      vocabularySize: 4096,
    });
    // 14.2 M with embedding and output apart, as the program has them.
    expect(model.info.parameters / 1e6).toBeGreaterThan(13);
    expect(model.session.decoder.sequenceLength.max).toBe(511);
    await model.dispose();
  });

  test("gives the golden tokens", async () => {
    const model = await loadProgram({ cacheType: "f32", contextLength: 128 });
    expect(model.info.contextLength).toBe(128);
    for (const { prompt, prompt_tokens, greedy_tokens, top2_gap } of golden.cases.slice(0, 4)) {
      expect(model.tokenize(prompt)).toEqual(prompt_tokens);
      const expected = decided(greedy_tokens.slice(0, 20), top2_gap, 1e-3);
      expect(await greedy(model, prompt_tokens, expected.length)).toEqual(expected);
    }
    await model.dispose();
  });

  test("gives the logits of the golden prefill", async () => {
    const logits = new Float32Array(bytes("pte/stories-14m-4w.logits.bin").buffer);
    const model = await loadProgram({ cacheType: "f32", contextLength: 128 });
    let worst = 0;
    for (const [index, { prompt_tokens }] of golden.cases.slice(0, 2).entries()) {
      await greedy(model, prompt_tokens, 1);
      const found = await model.session.readLogits();
      const expected = logits.subarray(index * 4096, (index + 1) * 4096);
      found.forEach((value, i) => (worst = Math.max(worst, Math.abs(value - expected[i]!))));
    }
    expect(worst).toBeLessThan(1e-3);
    await model.dispose();
  });

  test("gives the same tokens as the GGUF file of the same model", async () => {
    const [program, checkpoint] = [
      await loadProgram(),
      await loadModel(gpu, gguf(), undefined, {}, () => {}),
    ];
    for (const prompt of ["The old dragon", "Tim and his sister went to the lake. They"]) {
      const ids = program.tokenize(prompt);
      expect(ids).toEqual(checkpoint.tokenize(prompt));
      const [a, b] = [await drain(program, ids, 16), await drain(checkpoint, ids, 16)];
      expect(a.result.tokens).toEqual(b.result.tokens);
      expect(a.text).toBe(b.text);
    }
    await program.dispose();
    await checkpoint.dispose();
  });

  test("needs a tokenizer, and must be a language model", async () => {
    const source = memorySource(bytes("pte/stories-14m-4w.pte"), "stories.pte");
    await expect(loadModel(gpu, source, undefined, {}, () => {})).rejects.toThrow(RequestError);
    const other = memorySource(bytes("sdpa_gqa6_2_d64_c77_step.pte", FIXTURES), "sdpa.pte");
    await expect(loadModel(gpu, other, gguf(), {}, () => {})).rejects.toThrow(UnsupportedError);
  });
});
