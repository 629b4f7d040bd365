import { beforeAll, describe, expect, test } from "vitest";
import { requestTestDevice } from "../../tests/support/gpu.ts";
import { referenceLogits } from "../../tests/support/reference-transformer.ts";
import { tinyCheckpoint } from "../../tests/support/tiny-checkpoint.ts";
import type { TinyOptions } from "../../tests/support/tiny-checkpoint.ts";
import { DecoderSession } from "../generate/decoder-session.ts";
import type { GpuDevice } from "../gpu/device.ts";
import { writesLimbs } from "../kernels/row_projection_q4gsw/row-input.ts";
import { compare } from "../kernels/testing/compare.ts";
import { buildModel } from "./index.ts";

const WIDE_HEADS = { headSize: 32, ropeSize: 32 } as const;

const VARIANTS: Readonly<Record<string, TinyOptions>> = {
  llama: { architecture: "llama" },
  "llama, tied embeddings": { architecture: "llama", tied: true },
  "llama, llama3 frequency scaling": {
    architecture: "llama",
    hyperparameters: {
      ropeScaling: {
        type: "llama3",
        factor: 32,
        lowFrequencyFactor: 1,
        highFrequencyFactor: 4,
        originalContextLength: 16,
      },
    },
  },
  // Wide enough for q, k and v to be parts of one constant.
  "llama, heads of 32": { architecture: "llama", hyperparameters: WIDE_HEADS },
  "llama, heads of 32 in halves": {
    architecture: "llama",
    hyperparameters: { ...WIDE_HEADS, ropeLayout: "half" },
  },
  "qwen2: biases": { architecture: "qwen2" },
  "qwen3: q and k norms": { architecture: "qwen3", tied: true },
};

const PROMPT = [3, 17, 5, 99, 42, 7, 128, 0, 64];

describe("models against a float64 forward pass", () => {
  let gpu: GpuDevice;
  beforeAll(async () => {
    gpu = await requestTestDevice();
  });

  async function open(options: TinyOptions, maxSequenceLength: number, device = gpu) {
    const checkpoint = tinyCheckpoint(options);
    const decoder = await buildModel(checkpoint, {
      contextLength: 32,
      maxSequenceLength,
      cacheType: "f32",
    });
    const session = await DecoderSession.load(device, decoder);
    return { checkpoint, session };
  }

  async function run(session: DecoderSession, prompt: readonly number[], maxTokens: number) {
    const tokens: number[] = [];
    const request = { prompt, maxTokens, reuseCache: false };
    for await (const token of session.decode(request)) tokens.push(token);
    return tokens;
  }

  // Software adapters leave fused kernels aside; as a GPU would, they run them all the same.
  const variants = Object.entries(VARIANTS).flatMap(([name, options]) => [
    [name, options, undefined] as const,
    [`${name}, as on a GPU`, options, false] as const,
  ]);
  for (const [name, options, software] of variants) {
    test(name, async () => {
      const device =
        software === undefined ? gpu : await requestTestDevice({ restrict: { software } });
      const { checkpoint, session } = await open(options, 16, device);
      try {
        await run(session, PROMPT, 1);
        const logits = await session.readLogits();
        const reference = referenceLogits(checkpoint, PROMPT);
        const deviation = compare(logits, reference.at(-1)!, { absolute: 1e-3, relative: 1e-3 });
        expect(deviation.report).toBe("");
        // Token by token the one-token plan must choose what the reference would.
        const tokens = await run(session, PROMPT, 8);
        const forced = referenceLogits(checkpoint, [...PROMPT, ...tokens.slice(0, -1)]);
        const chosen = forced.slice(PROMPT.length - 1).map((row) => row.indexOf(Math.max(...row)));
        expect(tokens).toEqual(chosen);
      } finally {
        await session.dispose();
      }
    });
  }

  test("a prompt in chunks of any size gives the same tokens", async () => {
    const results: number[][] = [];
    for (const chunk of [16, 4, 3, 1]) {
      const { session } = await open(VARIANTS["llama"]!, chunk);
      results.push(await run(session, PROMPT, 6));
      await session.dispose();
    }
    for (const tokens of results) expect(tokens).toEqual(results[0]);
  });

  test("matrices over the binding limit are split, with the same result", async () => {
    const options: TinyOptions = {
      architecture: "qwen2",
      hyperparameters: { vocabularySize: 600 },
    };
    const whole = await open(options, 16);
    const expected = await run(whole.session, PROMPT, 6);
    await whole.session.dispose();
    // The vocabulary's 600 rows of 32 bytes no longer fit one binding.
    const limits = { maxStorageBufferBindingSize: 16384 };
    const small = await requestTestDevice({ restrict: { limits } });
    const split = await open(options, 4, small);
    const shards = split.session.plans.step.greedy.dispatches.filter(({ label }) =>
      label.startsWith("linear_q4gsw"),
    );
    expect(await run(split.session, PROMPT, 6)).toEqual(expected);
    // Seven projections a layer, and the output projection in two shards.
    expect(shards.length).toBe(2 * 7 + 2);
    await split.session.dispose();
  });

  test("a vocabulary over the binding limit takes its row as limbs, shard by shard", async () => {
    const options: TinyOptions = {
      architecture: "llama",
      hyperparameters: { ...WIDE_HEADS, vocabularySize: 600 },
    };
    const whole = await open(options, 16);
    const expected = await run(whole.session, PROMPT, 6);
    await whole.session.dispose();
    const limits = { maxStorageBufferBindingSize: 16384 };
    const small = await requestTestDevice({ restrict: { software: false, limits } });
    const split = await open(options, 16, small);
    const shards = split.session.plans.step.greedy.dispatches.filter(
      ({ label }) => label === "linear_q4gsw_limbs",
    );
    if (writesLimbs(small.capabilities)) expect(shards.length).toBe(2);
    expect(await run(split.session, PROMPT, 6)).toEqual(expected);
    await split.session.dispose();
  });
});
