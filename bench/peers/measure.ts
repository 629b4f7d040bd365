/** One protocol for every engine: what is timed, how often, and what makes a result worthless. */
import { randomPrompt } from "../../src/bench/session-speed.ts";
import type { Engine } from "./engine.ts";

/** Runs before those that count: drivers compile at a kernel's first use, buffers grow. */
const WARM_UP_RUNS = 2;

export interface MeasureOptions {
  readonly newTokens: number;
  readonly runs: number;
  readonly vocabularySize: number;
}

/** What an engine did after a prompt of `context` tokens; rates are tokens a second, one a run. */
export interface ContextResult {
  readonly context: number;
  /** The prompt's tokens by the time from the call to the first new token. */
  readonly prefill: readonly number[];
  /** New tokens after the first by the time from the first to the last. */
  readonly decode: readonly number[];
  readonly tokens: readonly number[];
}

/**
 * Runs a prompt and a greedy answer, from an empty cache each time. Rejects where the answer is
 * shorter than asked for, holds no ids of the vocabulary, or differs between runs.
 */
export async function measureContext(
  engine: Engine,
  context: number,
  { newTokens, runs, vocabularySize }: MeasureOptions,
): Promise<ContextResult> {
  const prompt = randomPrompt(context, vocabularySize);
  const prefill: number[] = [];
  const decode: number[] = [];
  let answer: readonly number[] = [];
  for (let run = 0; run < WARM_UP_RUNS + runs; run++) {
    const tokens: number[] = [];
    const began = performance.now();
    let first = began;
    let last = began;
    for await (const token of engine.generate(prompt, newTokens)) {
      last = performance.now();
      if (tokens.length === 0) first = last;
      tokens.push(token);
    }
    const where = `after ${context} tokens`;
    if (tokens.length !== newTokens) throw new Error(`${tokens.length} tokens came ${where}`);
    const bad = tokens.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabularySize);
    if (bad !== undefined) throw new Error(`token ${bad} came ${where}`);
    if (run > 0 && tokens.join() !== answer.join()) {
      throw new Error(`greedy answers ${where} differ from run to run`);
    }
    answer = tokens;
    if (run < WARM_UP_RUNS) continue;
    prefill.push((context * 1000) / (first - began));
    decode.push(((newTokens - 1) * 1000) / (last - first));
  }
  return { context, prefill, decode, tokens: answer };
}
