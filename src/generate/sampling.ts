import type { SamplingOptions } from "../api.ts";
import { RequestError } from "../errors.ts";

/** How the next token is chosen, complete and checked. */
export interface Sampling {
  readonly repetitionPenalty: number;
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly seed: number;
}

/** Fills in defaults. Throws `RequestError` for values out of range. */
export function resolveSampling(options: SamplingOptions): Sampling {
  const check = (name: string, value: number, ok: boolean, allowed: string) => {
    if (!ok || Number.isNaN(value)) {
      throw new RequestError(`generate: ${name} is ${value}; allowed: ${allowed}`);
    }
    return value;
  };
  const { repetitionPenalty = 1, temperature = 0, topK = 0, topP = 1, minP = 0 } = options;
  const seed = options.seed ?? Math.floor(Math.random() * 2 ** 32);
  return {
    repetitionPenalty: check(
      "repetitionPenalty",
      repetitionPenalty,
      repetitionPenalty > 0 && repetitionPenalty <= 100,
      "above 0 up to 100",
    ),
    temperature: check(
      "temperature",
      temperature,
      temperature >= 0 && temperature <= 100,
      "0 to 100",
    ),
    topK: check(
      "topK",
      topK,
      Number.isInteger(topK) && topK >= 0 && topK < 2 ** 31,
      "an integer from 0",
    ),
    topP: check("topP", topP, topP > 0 && topP <= 1, "above 0 up to 1"),
    minP: check("minP", minP, minP >= 0 && minP <= 1, "0 to 1"),
    seed: check(
      "seed",
      seed,
      Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32,
      "an integer from 0 below 2^32",
    ),
  };
}
