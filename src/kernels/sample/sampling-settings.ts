import { RequestError } from "../../errors.ts";

/** How the next token is chosen. Every filter is off by default. */
export interface SamplingSettings {
  /** Divides the logits; 0 always takes the likeliest token. 1 if absent. */
  readonly temperature?: number;
  /** Keep this many of the likeliest tokens (and those equal to the last); 0 keeps all. */
  readonly topK?: number;
  /** Keep the likeliest tokens that together have this share of the probability; 1 keeps all. */
  readonly topP?: number;
  /** Keep tokens at least this likely, relative to the likeliest; 0 keeps all. */
  readonly minP?: number;
  /** Divides (multiplies, below zero) the logits of tokens seen before; 1 changes nothing. */
  readonly repetitionPenalty?: number;
  /** Unsigned 32-bit; the same seed gives the same text on the same device. */
  readonly seed?: number;
}

/** Words of the sampler's operand `sampling`. */
export const SAMPLING_WORDS = 16;

/** Filters that take several passes over the vocabulary, as bits. */
export const FILTERS = { topK: 1, topP: 2 } as const;
export const ALL_FILTERS = FILTERS.topK | FILTERS.topP;

/** Which of {@link FILTERS} settings have on, so that the sampler can leave the others' passes out. */
export function filtersOf({ topK = 0, topP = 1 }: SamplingSettings): number {
  return (topK === 0 ? 0 : FILTERS.topK) | (topP === 1 ? 0 : FILTERS.topP);
}

function check(name: string, value: number, isValid: boolean, supported: string): number {
  if (!isValid) {
    throw new RequestError(`sampling: ${name} is ${value}; supported: ${supported}`);
  }
  return value;
}

/**
 * The sampler's operand `sampling`, u32 [16]. Throws `RequestError` for settings out of range.
 */
export function encodeSampling(settings: SamplingSettings): Uint32Array<ArrayBuffer> {
  const {
    temperature = 1,
    topK = 0,
    topP = 1,
    minP = 0,
    repetitionPenalty = 1,
    seed = 0,
  } = settings;
  const isWord = (value: number) => Number.isInteger(value) && value >= 0 && value < 2 ** 32;
  const isShare = (value: number) => value >= 0 && value <= 1;
  const words = new Uint32Array(SAMPLING_WORDS);
  const floats = new Float32Array(words.buffer);
  const isTemperature = Number.isFinite(temperature) && temperature >= 0;
  floats[0] = check("temperature", temperature, isTemperature, "0 and above");
  words[1] = check("topK", topK, isWord(topK), "integers from 0 to 2^32 - 1");
  floats[2] = check("topP", topP, isShare(topP), "0 to 1");
  floats[3] = check("minP", minP, isShare(minP), "0 to 1");
  const isPenalty = Number.isFinite(repetitionPenalty) && repetitionPenalty > 0;
  floats[4] = check("repetitionPenalty", repetitionPenalty, isPenalty, "above 0");
  words[5] = check("seed", seed, isWord(seed), "integers from 0 to 2^32 - 1");
  return words;
}
