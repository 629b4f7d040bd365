import type { SamplingSettings } from "./sampling-settings.ts";

/** What the sampler keeps and how likely each token is, in float64. */
export interface SamplingReference {
  /** Of each token, 0 where a filter drops it; in sum 1. */
  readonly probabilities: Float64Array;
  /** The greedy choice. */
  readonly best: number;
  /** Whether a threshold is so close to a token that f32 may decide otherwise. */
  readonly isAmbiguous: boolean;
}

const AMBIGUITY = 1e-5;

/** Bit `token` of the operand seen. */
export function isSeen(seen: Uint32Array, token: number): boolean {
  return (((seen[token >> 5] ?? 0) >>> (token & 31)) & 1) === 1;
}

function adjustedLogits(logits: ArrayLike<number>, seen: Uint32Array, settings: SamplingSettings) {
  const { temperature = 1, repetitionPenalty = 1 } = settings;
  return Float64Array.from(logits, (logit, token) => {
    let value = logit;
    if (isSeen(seen, token))
      value = value > 0 ? value / repetitionPenalty : value * repetitionPenalty;
    return temperature > 0 ? value / temperature : value;
  });
}

/** First index of the largest number; NaN is never chosen unless there is nothing else. */
export function firstBest(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) {
    const value = values[i]!;
    if (Number.isNaN(value)) continue;
    if (Number.isNaN(values[best]!) || value > values[best]!) best = i;
  }
  return best;
}

/** The sampler's filters on `logits`, as Hugging Face orders them. */
export function samplingReference(
  logits: ArrayLike<number>,
  seen: Uint32Array,
  settings: SamplingSettings,
): SamplingReference {
  const { temperature = 1, topK = 0, topP = 1, minP = 0 } = settings;
  const adjusted = adjustedLogits(logits, seen, settings);
  const best = firstBest(adjusted);
  const size = adjusted.length;
  const probabilities = new Float64Array(size);
  if (temperature === 0) {
    probabilities[best] = 1;
    return { probabilities, best, isAmbiguous: false };
  }
  // Relative to the likeliest token.
  const weights = adjusted.map((value) =>
    Number.isNaN(value) ? 0 : Math.exp(value - adjusted[best]!),
  );
  if (adjusted[best] === Number.NEGATIVE_INFINITY) weights.fill(1);
  const order = Array.from(weights.keys()).sort((a, b) => weights[b]! - weights[a]!);
  let isAmbiguous = false;
  let kept = order;
  if (topK > 0 && topK < size) {
    const least = weights[order[topK - 1]!]!;
    kept = order.filter((token) => weights[token]! >= least);
    const next = weights[order[kept.length] ?? -1] ?? 0;
    isAmbiguous ||= least - next <= AMBIGUITY * least && least > 0;
  }
  if (topP < 1) {
    const goal = topP * kept.reduce((sum, token) => sum + weights[token]!, 0);
    let above = 0;
    let end = 0;
    while (end < kept.length) {
      isAmbiguous ||= end > 0 && Math.abs(above - goal) <= AMBIGUITY * goal;
      if (end > 0 && above >= goal) break;
      // Equal tokens come or go together.
      const weight = weights[kept[end]!]!;
      while (end < kept.length && weights[kept[end]!] === weight) {
        above += weight;
        end += 1;
      }
    }
    kept = kept.slice(0, end);
  }
  if (minP > 0) {
    isAmbiguous ||= kept.some(
      (token) => Math.abs(weights[token]! - minP) <= AMBIGUITY * minP && token !== best,
    );
    kept = kept.filter((token) => weights[token]! >= minP);
  }
  const total = kept.reduce((sum, token) => sum + weights[token]!, 0);
  for (const token of kept) probabilities[token] = weights[token]! / total;
  return { probabilities, best, isAmbiguous };
}

/** Philox2x32-10 (Salmon et al., 2011) of counter (position, 0): its two words. */
export function philox(counter: readonly [number, number], seed: number): [number, number] {
  let [low, high] = counter;
  let key = seed >>> 0;
  for (let round = 0; round < 10; round++) {
    const product = 0xd256d193n * BigInt(low >>> 0);
    low = (Number(product >> 32n) ^ key ^ high) >>> 0;
    high = Number(product & 0xffffffffn);
    key = (key + 0x9e3779b9) >>> 0;
  }
  return [low, high];
}

/** The token that integer weights and a random word choose, exactly as the sampler does. */
export function chooseByWeights(weights: Uint32Array, random: number): number {
  let total = 0n;
  for (const weight of weights) total += BigInt(weight);
  let rest = (total * BigInt(random)) >> 32n;
  for (const [token, weight] of weights.entries()) {
    if (rest < BigInt(weight)) return token;
    rest -= BigInt(weight);
  }
  throw new Error("sampling: all weights are zero");
}
