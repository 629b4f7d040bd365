import { beforeAll, beforeEach, afterEach, describe, expect, test } from "vitest";
import { requestTestDevice } from "../../tests/support/gpu.ts";
import { tinyCheckpoint } from "../../tests/support/tiny-checkpoint.ts";
import { DeviceError, RequestError } from "../errors.ts";
import type { GpuDevice } from "../gpu/device.ts";
import { buildModel } from "../models/index.ts";
import { DecoderSession } from "./decoder-session.ts";
import type { DecodeRequest, SessionOptions } from "./decoder-session.ts";

const CONTEXT = 32;
const PROMPT = [3, 17, 5, 99, 42, 7, 128, 0, 64];

async function open(gpu: GpuDevice, options?: SessionOptions): Promise<DecoderSession> {
  const decoder = await buildModel(tinyCheckpoint({ architecture: "llama" }), {
    contextLength: CONTEXT,
    maxSequenceLength: 4,
    cacheType: "f16",
  });
  return DecoderSession.load(gpu, decoder, options);
}

async function collect(session: DecoderSession, request: Partial<DecodeRequest> = {}) {
  const tokens: number[] = [];
  for await (const token of session.decode({ prompt: PROMPT, maxTokens: 8, ...request })) {
    tokens.push(token);
  }
  return tokens;
}

describe("DecoderSession", () => {
  let gpu: GpuDevice;
  let session: DecoderSession;
  let expected: number[];
  beforeAll(async () => {
    gpu = await requestTestDevice();
  });
  beforeEach(async () => {
    session = await open(gpu);
    expected = await collect(session);
  });
  afterEach(() => session.dispose());

  test("repeats itself, whether or not the cache is reused", async () => {
    expect(await collect(session)).toEqual(expected);
    expect(await collect(session, { reuseCache: false })).toEqual(expected);
    // Another text in between leaves rows behind that must not be seen.
    await collect(session, { prompt: [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 1, 2], maxTokens: 5 });
    expect(await collect(session)).toEqual(expected);
  });

  test("continues from what the cache holds as from scratch", async () => {
    const longer = [...PROMPT, ...expected.slice(0, 5)];
    const reused = await collect(session, { prompt: longer, maxTokens: 3 });
    expect(reused).toEqual(expected.slice(5, 8));
    expect(await collect(session, { prompt: longer, maxTokens: 3, reuseCache: false })).toEqual(
      reused,
    );
  });

  test("an aborted generation leaves the session usable", async () => {
    const controller = new AbortController();
    const seen: number[] = [];
    const run = async () => {
      for await (const token of session.decode({
        prompt: PROMPT,
        maxTokens: 20,
        signal: controller.signal,
      })) {
        seen.push(token);
        if (seen.length === 3) controller.abort(new Error("enough"));
      }
    };
    await expect(run()).rejects.toThrow("enough");
    expect(seen).toEqual(expected.slice(0, 3));
    expect(await collect(session)).toEqual(expected);
    await expect(
      collect(session, { signal: AbortSignal.abort(new Error("at once")) }),
    ).rejects.toThrow("at once");
    expect(await collect(session)).toEqual(expected);
  });

  test("a caller who stops listening leaves the session usable", async () => {
    for await (const token of session.decode({ prompt: PROMPT, maxTokens: 20 })) {
      expect(token).toBe(expected[0]);
      break;
    }
    expect(await collect(session)).toEqual(expected);
  });

  test("disposing ends a generation in the middle, and what it queued", async () => {
    const other = await open(gpu);
    const allocated = gpu.allocatedBytes;
    const errors: string[] = [];
    const listen = (event: GPUUncapturedErrorEvent) => errors.push(event.error.message);
    gpu.device.addEventListener("uncapturederror", listen);
    const disposed = await open(gpu);
    const running = disposed.decode({ prompt: PROMPT, maxTokens: 20 });
    expect((await running.next()).value).toBe(expected[0]);
    await disposed.dispose();
    const rest = async () => {
      const tokens: number[] = [];
      for await (const token of running) tokens.push(token);
      return tokens;
    };
    await expect(rest()).rejects.toThrow(/disposed|read back/);
    await gpu.idle();
    gpu.device.removeEventListener("uncapturederror", listen);
    expect(errors).toEqual([]);
    expect(gpu.allocatedBytes).toBe(allocated);
    expect(await collect(other)).toEqual(expected);
    await other.dispose();
  });

  test("bad requests are refused before anything is written", async () => {
    const bad: Partial<DecodeRequest>[] = [
      { prompt: [] },
      { prompt: [130] },
      { prompt: [-1] },
      { prompt: [1.5] },
      { prompt: Array.from({ length: CONTEXT + 1 }, () => 1) },
      { maxTokens: 0 },
      { sampling: { temperature: -1 } },
      { sampling: { topP: 2 } },
      { sampling: { repetitionPenalty: 0 } },
      { sampling: { seed: -1 } },
    ];
    for (const request of bad) {
      await expect(collect(session, request)).rejects.toThrow(RequestError);
    }
    expect(await collect(session)).toEqual(expected);
  });

  test("one generation at a time", async () => {
    const first = session.decode({ prompt: PROMPT, maxTokens: 2 });
    expect((await first.next()).value).toBe(expected[0]);
    await expect(collect(session)).rejects.toThrow(/another generation/);
    expect((await first.next()).value).toBe(expected[1]);
    expect((await first.next()).done).toBe(true);
    expect(await collect(session)).toEqual(expected);
  });

  test("fills the context to its last position and stops there", async () => {
    const tokens = await collect(session, { maxTokens: 1000 });
    expect(tokens.length).toBe(CONTEXT - PROMPT.length + 1);
    expect(tokens.slice(0, 8)).toEqual(expected);
    const full = [...PROMPT, ...tokens].slice(0, CONTEXT);
    expect(await collect(session, { prompt: full })).toEqual([tokens.at(-1)]);
  });

  test("a seed repeats a sampled text, another seed changes it", async () => {
    const sampled = (seed: number) =>
      collect(session, { sampling: { temperature: 2, topK: 50, seed }, maxTokens: 20 });
    const first = await sampled(1);
    expect(await sampled(1)).toEqual(first);
    expect(await sampled(2)).not.toEqual(first);
    // Keeping only the likeliest is the greedy choice.
    expect(await collect(session, { sampling: { temperature: 2, topK: 1, seed: 5 } })).toEqual(
      expected,
    );
    expect(await collect(session)).toEqual(expected);
  });

  test("a repetition penalty keeps tokens from coming back", async () => {
    const tokens = await collect(session, { sampling: { repetitionPenalty: 100 }, maxTokens: 15 });
    expect(new Set([...PROMPT, ...tokens]).size).toBe(PROMPT.length + tokens.length);
  });
});

/** Three steps a submit, six queued, where a submit can have several. */
const threeAtATime = {
  begin: () => {},
  arrived: () => {},
  ahead: (single: boolean) => ({ steps: single ? 1 : 3, inFlight: 6 }),
};

describe.each([true, false])("several steps a submit, immediates: %s", (immediates) => {
  test("give the same tokens, and as many as were asked for", async () => {
    const gpu = await requestTestDevice({
      restrict: { software: false, limits: immediates ? {} : { maxImmediateSize: 0 } },
    });
    const session = await open(gpu);
    const expected = await collect(session, { maxTokens: 12 });
    await session.dispose();
    const batched = await open(gpu, { pace: threeAtATime });
    const submits: number[] = [];
    const tokens = await collect(batched, {
      maxTokens: 12,
      onSubmit: ({ phase, tokens: count }) => phase === "decode" && submits.push(count),
    });
    expect(tokens).toEqual(expected);
    const several = immediates && gpu.capabilities.limits.maxImmediateSize > 0;
    expect(submits).toEqual(several ? [3, 3, 3, 2] : Array.from({ length: 11 }, () => 1));
    // What was computed beyond the last token that was wanted is no part of the cache.
    expect((await collect(batched, { maxTokens: 5 })).join()).toBe(expected.slice(0, 5).join());
    const longer = [...PROMPT, ...expected.slice(0, 5)];
    expect(await collect(batched, { prompt: longer, maxTokens: 7 })).toEqual(expected.slice(5));
    await batched.dispose();
  });
});

describe("DecoderSession on a lost device", () => {
  test("rejects with the reason", async () => {
    const gpu = await requestTestDevice();
    const session = await open(gpu);
    const run = async () => {
      for await (const token of session.decode({ prompt: PROMPT, maxTokens: 20 })) {
        expect(token).toBeGreaterThanOrEqual(0);
        gpu.device.destroy();
      }
    };
    await expect(run()).rejects.toThrow(DeviceError);
    await expect(collect(session)).rejects.toThrow(/lost \(destroyed\)/);
    await session.dispose();
  });
});
