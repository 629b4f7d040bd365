import { randomNumbers, randomValues } from "../testing/data.ts";
import { defineSuite } from "../testing/suite.ts";
import type { KernelCase } from "../testing/suite.ts";
import { philox, samplingReference } from "./sample.reference.ts";
import { encodeSampling, filtersOf, sampler } from "./sample.ts";
import type { SamplerLive, SamplingSettings } from "./sample.ts";

const HISTORY_LENGTH = 32;
const POSITION = 9;
const S = 3;

/** A weight of 1, in the sampler's fixed point. */
const WEIGHT_ONE = 2 ** 26;

/** Logits as of a language model: mostly low, a few high. */
export function modelLogits(size: number, seed: number): Float32Array<ArrayBuffer> {
  const next = randomNumbers(seed);
  return Float32Array.from({ length: size }, () => {
    const normal = Math.sqrt(-2 * Math.log(next() + 1e-12)) * Math.cos(2 * Math.PI * next());
    return 3 * normal - 2;
  });
}

/** Bits of three tokens in ten. */
export function randomSeen(size: number, seed: number): Uint32Array<ArrayBuffer> {
  const next = randomNumbers(seed);
  const seen = new Uint32Array(Math.ceil(size / 32));
  for (let token = 0; token < size; token++) {
    if (next() < 0.3) seen[token >> 5]! |= 1 << (token & 31);
  }
  return seen;
}

/** The token that random number `share` picks, and how far from another token's range it is. */
function pick(probabilities: Float64Array, share: number): { token: number; margin: number } {
  let below = 0;
  for (const [token, probability] of probabilities.entries()) {
    const end = below + probability;
    if (share < end) return { token, margin: Math.min(share - below, end - share) };
    below = end;
  }
  throw new Error("sampler: the probabilities do not add up to 1");
}

/** The first seed from `settings.seed` on whose choice for `position` is sure by `least`, and that choice. */
export function sureChoice(
  probabilities: Float64Array,
  settings: SamplingSettings,
  position: number,
  least: number,
) {
  for (let seed = settings.seed ?? 0; ; seed++) {
    const share = philox([position, 0], seed)[0] / 2 ** 32;
    const { token, margin } = pick(probabilities, share);
    if (margin > least) return { token, seed };
  }
}

function samplerCase(
  mode: "greedy" | "sampled",
  size: number,
  settings: SamplingSettings,
  logits = modelLogits(size, size),
): KernelCase<SamplerLive> {
  const seen = randomSeen(size, size + 1);
  const reference = samplingReference(logits, seen, settings);
  if (reference.isAmbiguous) throw new Error(`sampler: ${JSON.stringify(settings)} is ambiguous`);
  const { probabilities, best } = reference;
  const isGreedy = mode === "greedy" || settings.temperature === 0;
  const { token, seed } = isGreedy
    ? { token: best, seed: 0 }
    : sureChoice(probabilities, settings, POSITION + S, 1e-4);
  const seenAfter = seen.slice();
  seenAfter[token >> 5]! |= 1 << (token & 31);
  const history = new Int32Array(HISTORY_LENGTH).fill(-7);
  const historyAfter = history.slice();
  historyAfter[POSITION + S] = token;
  const likeliest = probabilities.reduce((a, b) => Math.max(a, b), 0);
  const weights = probabilities.map((p) => Math.round((p / likeliest) * WEIGHT_ONE));
  return {
    name: `${mode} ${size} ${JSON.stringify(settings)}`,
    route: (capabilities) =>
      sampler({ vocabularySize: size, mode, historyLength: HISTORY_LENGTH }, capabilities),
    expectRoute: () => `sampler_${mode}`,
    live: { S, filters: filtersOf(settings) },
    operands: () => ({
      logits,
      sampling: encodeSampling({ ...settings, seed }),
      seen,
      input_pos: Int32Array.of(POSITION),
      token: { bytes: 4 },
      history,
    }),
    expected: () => ({
      token: { type: "i32", values: [token] },
      input_pos: { type: "i32", values: [POSITION + S] },
      seen: { type: "u32", values: seenAfter },
      history: { type: "i32", values: historyAfter },
      // Scratch, but what all filters amount to. f32's exp is good to a few ulps.
      ...(isGreedy
        ? {}
        : {
            weights: {
              type: "u32" as const,
              values: weights,
              tolerance: { absolute: 2, relative: 1e-5 },
            },
          }),
    }),
    tolerance: { absolute: 0, relative: 0 },
  };
}

const SETTINGS: readonly SamplingSettings[] = [
  { seed: 1 },
  { temperature: 0 },
  { temperature: 0.7, topK: 5, seed: 3 },
  { topP: 0.8, seed: 4 },
  { minP: 0.05, repetitionPenalty: 1.2, seed: 5 },
];

const flat = randomValues(4096, 12);

/** One setting of everything at once for whole vocabularies, which software adapters feel. */
const ALL: SamplingSettings = {
  temperature: 0.8,
  topK: 40,
  topP: 0.9,
  minP: 0.02,
  repetitionPenalty: 1.3,
  seed: 6,
};

export const sampleSuite = defineSuite("sample", [
  ...[7, 256, 4096].flatMap((size) => SETTINGS.map((each) => samplerCase("sampled", size, each))),
  ...[7, 4096, 128_256].map((size) => samplerCase("greedy", size, { repetitionPenalty: 1.7 })),
  ...[4096, 128_256, 151_936].map((size) => samplerCase("sampled", size, ALL)),
  samplerCase("sampled", 128_256, { temperature: 0.6, topP: 0.9, seed: 8 }),
  // Nearly equal tokens: their weights add up to more than a word.
  samplerCase("sampled", 4096, { topP: 0.5, seed: 9 }, flat),
]);
