import { beforeAll, describe, expect, test } from "vitest";
import { requestTestDevice } from "../../../tests/support/gpu.ts";
import { testKernelSuite } from "../../../tests/support/kernel-suite.ts";
import { restrictCapabilities } from "../../gpu/capabilities.ts";
import type { GpuDevice } from "../../gpu/device.ts";
import { randomNumbers } from "../testing/data.ts";
import { runRoute } from "../testing/run-route.ts";
import { chooseByWeights, isSeen, philox, samplingReference } from "./sample.reference.ts";
import { modelLogits, randomSeen, sampleSuite } from "./sample.suite.ts";
import { ALL_FILTERS, encodeSampling, filtersOf, sampler } from "./sample.ts";
import type { SamplerShape, SamplingSettings } from "./sample.ts";

interface Step {
  readonly logits: Float32Array<ArrayBuffer>;
  readonly settings?: SamplingSettings;
  readonly seen?: Uint32Array<ArrayBuffer>;
  readonly mode?: SamplerShape["mode"];
  readonly position?: number;
  readonly S?: number;
  /** Passes that are run; all if absent, whatever the settings have on. */
  readonly filters?: number;
  /** How often to sample one after another. */
  readonly repeat?: number;
  readonly historyLength?: number;
  /** Lanes a workgroup, where fewer than the device has. */
  readonly lanes?: number;
}

interface Outcome {
  readonly token: number;
  readonly position: number;
  readonly seen: Uint32Array;
  readonly history: Int32Array;
  /** Weights of the tokens that the filters keep; not of greedy sampling. */
  readonly weights: Uint32Array;
}

async function runSampler(gpu: GpuDevice, step: Step): Promise<Outcome> {
  const { logits, settings = {}, mode = "sampled", position = 5, S = 1 } = step;
  const { repeat = 1, historyLength = 16, lanes } = step;
  const capabilities = restrictCapabilities(
    gpu.capabilities,
    lanes === undefined ? {} : { limits: { maxComputeInvocationsPerWorkgroup: lanes } },
  );
  const route = sampler({ vocabularySize: logits.length, mode, historyLength }, capabilities);
  const operands = {
    logits,
    sampling: encodeSampling(settings),
    seen: step.seen ?? new Uint32Array(Math.ceil(logits.length / 32)),
    input_pos: Int32Array.of(position),
    token: { bytes: 4 },
    history: new Int32Array(historyLength).fill(-7),
  };
  const repeated = {
    ...route,
    dispatches: Array.from({ length: repeat }, () => route.dispatches).flat(),
  };
  const read = ["token", "input_pos", "seen", "history"];
  if (mode === "sampled") read.push("weights");
  const result = await runRoute(
    gpu,
    repeated,
    operands,
    { S, filters: step.filters ?? ALL_FILTERS },
    read,
  );
  const words = (name: string) => new Uint32Array(result[name] ?? new ArrayBuffer(0));
  return {
    token: words("token")[0]!,
    position: words("input_pos")[0]!,
    seen: words("seen"),
    history: new Int32Array(words("history").buffer),
    weights: words("weights"),
  };
}

/** A weight of 2^-26 may round either way. */
const SMALLEST_SURE = 4e-8;

/** Checks kept set, probabilities and the choice against the references. */
function checkSampled(step: Step, outcome: Outcome): void {
  const { logits, settings = {}, position = 5, S = 1 } = step;
  const seen = step.seen ?? new Uint32Array(Math.ceil(logits.length / 32));
  const { probabilities, isAmbiguous } = samplingReference(logits, seen, settings);
  const total = outcome.weights.reduce((sum, weight) => sum + weight, 0);
  const likeliest = probabilities.reduce((a, b) => Math.max(a, b), 0);
  const wrong: string[] = [];
  if (!isAmbiguous) {
    probabilities.forEach((probability, token) => {
      const weight = outcome.weights[token]!;
      const isKept = weight > 0;
      if (probability === 0 ? isKept : !isKept && probability > SMALLEST_SURE * likeliest) {
        wrong.push(`token ${token}: weight ${weight}, probability ${probability}`);
      }
      const error = Math.abs(weight / total - probability);
      // A unit of the fixed-point weight, and what f32's exp and the rounding of a long tail add up to.
      if (error > 2e-8 * likeliest + 3e-5 * probability) {
        wrong.push(`token ${token}: ${weight / total} instead of ${probability}`);
      }
    });
  }
  expect(wrong.slice(0, 5)).toEqual([]);
  const [random] = philox([position + S, 0], settings.seed ?? 0);
  expect(outcome.token).toBe(chooseByWeights(outcome.weights, random));
  // The same by float64 probabilities, unless the random number is next to a boundary.
  const share = random / 2 ** 32;
  let below = 0;
  for (let token = 0; token < outcome.token; token++) below += probabilities[token]!;
  if (isAmbiguous) return;
  expect(share).toBeGreaterThan(below - 1e-4);
  expect(share).toBeLessThan(below + probabilities[outcome.token]! + 1e-4);
}

let gpu: GpuDevice;
beforeAll(async () => {
  gpu = await requestTestDevice();
});

testKernelSuite(sampleSuite);

const SIZES = [7, 256, 4096, 128_256, 151_936];

const SETTINGS: readonly SamplingSettings[] = [
  { seed: 1 },
  { temperature: 0.7, seed: 2 },
  { topK: 5, seed: 3 },
  { topP: 0.8, seed: 4 },
  { minP: 0.05, seed: 5 },
  { temperature: 0.8, topK: 40, topP: 0.9, minP: 0.02, repetitionPenalty: 1.3, seed: 6 },
  { temperature: 1.5, topK: 1000, topP: 0.99, seed: 7 },
];

describe.each(SIZES)("sampled from %i tokens", (size) => {
  const logits = modelLogits(size, size);
  const seen = randomSeen(size, size + 1);
  // A software adapter takes a second or two for a whole vocabulary.
  const isLarge = size > 100_000;
  test.each(isLarge ? SETTINGS.slice(-1) : SETTINGS)("%o", async (settings) => {
    const step = { logits, settings, seen };
    const outcome = await runSampler(gpu, step);
    checkSampled(step, outcome);
    // Without the passes that these settings do not need.
    const short = await runSampler(gpu, { ...step, filters: filtersOf(settings) });
    expect(short.weights).toEqual(outcome.weights);
  });

  test("temperature 0 and greedy mode take the best after the penalty", async () => {
    for (const repetitionPenalty of isLarge ? [1.7] : [1, 1.7]) {
      const settings = { temperature: 0, repetitionPenalty, topP: 0.5, topK: 3 };
      const { best } = samplingReference(logits, seen, settings);
      for (const mode of ["sampled", "greedy"] as const) {
        const { token } = await runSampler(gpu, { logits, settings, seen, mode });
        expect(token, `${mode} at penalty ${repetitionPenalty}`).toBe(best);
      }
    }
  });

  test("top-k 1 is greedy", async () => {
    const { best } = samplingReference(logits, seen, {});
    for (const seed of isLarge ? [1] : [1, 2, 3]) {
      expect((await runSampler(gpu, { logits, seen, settings: { topK: 1, seed } })).token).toBe(
        best,
      );
    }
  });
});

describe("what a step changes", () => {
  const logits = modelLogits(300, 1);
  test.each(["sampled", "greedy"] as const)("%s", async (mode) => {
    const seen = randomSeen(300, 2);
    const step = { logits, seen, mode, position: 3, S: 6 };
    const outcome = await runSampler(gpu, step);
    expect(outcome.position).toBe(9);
    const history = new Int32Array(16).fill(-7);
    history[9] = outcome.token;
    expect(outcome.history).toEqual(history);
    const bits = seen.slice();
    bits[outcome.token >> 5]! |= 1 << (outcome.token & 31);
    expect(outcome.seen).toEqual(bits);
  });

  test.each(["sampled", "greedy"] as const)("%s at the end of the history", async (mode) => {
    const last = await runSampler(gpu, { logits, mode, position: 14 });
    expect(last.history[15]).toBe(last.token);
    const past = await runSampler(gpu, { logits, mode, position: 15 });
    expect(past.position).toBe(16);
    expect(past.history).toEqual(new Int32Array(16).fill(-7));
  });

  test("the penalty sees the tokens that steps have added", async () => {
    // Every token once before any comes again, the likeliest first.
    const outcome = await runSampler(gpu, {
      logits: Float32Array.of(3, 5, 4, 6, 2),
      settings: { repetitionPenalty: 100 },
      mode: "greedy",
      position: -1,
      repeat: 5,
    });
    expect([...outcome.history.subarray(0, 5)]).toEqual([3, 1, 2, 0, 4]);
  });
});

describe("odd logits", () => {
  test("all equal: every token is kept, whatever the share", async () => {
    for (const size of [7, 5000, 262_144]) {
      const logits = new Float32Array(size).fill(1.25);
      const all: SamplingSettings[] = [{}, { topP: 0.3 }, { topK: 2 }, { minP: 1 }];
      for (const settings of size > 100_000 ? all.slice(1, 2) : all) {
        const step = { logits, settings: { ...settings, seed: 9 } };
        const outcome = await runSampler(gpu, step);
        expect(new Set(outcome.weights).size).toBe(1);
        checkSampled(step, outcome);
      }
      expect((await runSampler(gpu, { logits, mode: "greedy" })).token).toBe(0);
    }
  });

  test("−inf is never sampled", async () => {
    const logits = new Float32Array(2000).fill(-Infinity);
    logits[77] = -3;
    logits[1900] = -3.5;
    for (const settings of [{}, { topK: 500 }, { topP: 0.99 }, { minP: 0.001 }]) {
      const outcome = await runSampler(gpu, { logits, settings });
      const kept = [...outcome.weights.keys()].filter((token) => outcome.weights[token]! > 0);
      expect(kept).toEqual([77, 1900]);
    }
  });

  test("NaN is never chosen", async () => {
    const logits = modelLogits(50, 3);
    logits[17] = Number.NaN;
    for (const settings of [{}, { topK: 49 }, { topP: 0.999 }, { temperature: 0.1 }]) {
      const { weights } = await runSampler(gpu, { logits, settings });
      expect(weights[17]).toBe(0);
      expect(weights.some((weight) => weight > 0)).toBe(true);
    }
    const { token } = await runSampler(gpu, {
      logits: Float32Array.of(NaN, -4, -5),
      mode: "greedy",
    });
    expect(token).toBe(1);
  });

  test("+inf and extreme distances", async () => {
    const only = await runSampler(gpu, { logits: Float32Array.of(1, Infinity, 2) });
    expect([...only.weights].map((weight) => weight > 0)).toEqual([false, true, false]);
    const far = await runSampler(gpu, { logits: Float32Array.of(3e38, -3e38, 3e38) });
    expect([...far.weights].map((weight) => weight > 0)).toEqual([true, false, true]);
  });
});

test("random cases keep the right tokens and choose among them", async () => {
  const next = randomNumbers(42);
  for (let i = 0; i < 60; i++) {
    const size = 1 + Math.floor(next() * 600);
    // Coarse logits make ties.
    const coarse = next() < 0.5;
    const logits = Float32Array.from({ length: size }, () => {
      const value = 12 * next() - 6;
      return coarse ? Math.round(2 * value) / 2 : value;
    });
    const settings = {
      temperature: [0.5, 1, 2][Math.floor(next() * 3)]!,
      topK: next() < 0.5 ? 0 : 1 + Math.floor(next() * size * 1.2),
      topP: next() < 0.5 ? 1 : next(),
      minP: next() < 0.5 ? 0 : next() * 0.5,
      repetitionPenalty: next() < 0.5 ? 1 : 0.8 + next(),
      seed: Math.floor(next() * 2 ** 32),
    };
    const step = { logits, settings, seen: randomSeen(size, i), position: Math.floor(next() * 14) };
    const outcome = await runSampler(gpu, step);
    checkSampled(step, outcome);
    expect(outcome.weights[outcome.token]).toBeGreaterThan(0);
    expect(isSeen(outcome.seen, outcome.token)).toBe(true);
  }
});

test("few lanes choose the same", async () => {
  const logits = modelLogits(5000, 8);
  const settings = { temperature: 0.9, topK: 300, topP: 0.95, minP: 0.001, seed: 11 };
  const all = await runSampler(gpu, { logits, settings });
  const few = await runSampler(gpu, { logits, settings, lanes: 8 });
  expect(few.weights).toEqual(all.weights);
  expect(few.token).toBe(all.token);
});

test("tokens come as often as they should", async () => {
  const logits = Float32Array.from([0.3, 0.25, 0.2, 0.15, 0.07, 0.03], Math.log);
  const count = 400;
  const settings = { topP: 0.96, seed: 2024 };
  // 0.96 keeps the first five: 0.97 of the probability.
  const { history } = await runSampler(gpu, {
    logits,
    settings,
    position: -1,
    repeat: count,
    historyLength: count,
  });
  const counts = logits.map(() => 0);
  for (const token of history) counts[token]! += 1;
  expect(counts[5]).toBe(0);
  let chiSquare = 0;
  for (let token = 0; token < 5; token++) {
    const wanted = (count * Math.exp(logits[token]!)) / 0.97;
    chiSquare += (counts[token]! - wanted) ** 2 / wanted;
  }
  // Four degrees of freedom: exceeded by chance once in a thousand seeds.
  expect(chiSquare).toBeLessThan(18.5);
  expect(history).toEqual(
    Int32Array.from({ length: count }, (_, position) => {
      const share = philox([position, 0], settings.seed)[0] / 2 ** 32;
      let below = 0;
      for (let token = 0; token < 5; token++) {
        below += Math.exp(logits[token]!) / 0.97;
        if (share < below) return token;
      }
      return -1;
    }),
  );
});
