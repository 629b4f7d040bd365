/** Times of whole requests to a decoder: what a program that generates sees. */
import type { SamplingOptions } from "../api.ts";
import type { DecodeRequest, DecoderSession } from "../generate/decoder-session.ts";
import type { Profiler, ProfilerGranularity } from "../generate/profiler.ts";
import { busyNs, runsOf } from "../profile/profile.ts";
import type { ProfiledRun } from "../profile/profile.ts";
import type { Checks } from "./checks.ts";
import { convertMeasurement, measurementOf } from "./statistics.ts";
import type { Measurement } from "./statistics.ts";

/** How often to measure. */
export interface Repeats {
  readonly runs: number;
  /** Requests before the first that counts. */
  readonly warmUps: number;
}

/** A request that was timed. Times are wall-clock milliseconds. */
interface TimedRequest {
  readonly tokens: readonly number[];
  readonly firstTokenMs: number;
  /** From the first token to the last. */
  readonly decodeMs: number;
}

/** Token ids of a prompt: the same for the same length, spread over the vocabulary. */
export function randomPrompt(length: number, vocabularySize: number): number[] {
  let state = length;
  return Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * vocabularySize);
  });
}

/** Runs a request from scratch: nothing of an earlier one is reused. */
export async function timeRequest(
  session: DecoderSession,
  request: Omit<DecodeRequest, "reuseCache">,
): Promise<TimedRequest> {
  const tokens: number[] = [];
  let first = 0;
  let last = 0;
  const began = performance.now();
  for await (const token of session.decode({ ...request, reuseCache: false })) {
    last = performance.now();
    if (tokens.length === 0) first = last;
    tokens.push(token);
  }
  return { tokens, firstTokenMs: first - began, decodeMs: last - first };
}

/** As {@link timeRequest}, with the GPU's times of its runs; none where there are no timestamps. */
async function profileRequest(
  session: DecoderSession,
  request: Omit<DecodeRequest, "reuseCache" | "profiler">,
  granularity: ProfilerGranularity,
): Promise<{ readonly tokens: readonly number[]; readonly runs: readonly ProfiledRun[] }> {
  const profiler: Profiler | undefined = session.createProfiler(granularity);
  if (profiler === undefined) return { tokens: [], runs: [] };
  try {
    const { tokens } = await timeRequest(session, { ...request, profiler });
    return { tokens, runs: await profiler.finish() };
  } finally {
    profiler.dispose();
  }
}

function checkTokens(checks: Checks, what: string, runs: readonly (readonly number[])[]): void {
  const different = new Set(runs.map((tokens) => tokens.join())).size;
  checks.add(
    `${what}: tokens repeat`,
    different === 1,
    `${different} different results in ${runs.length} runs`,
  );
}

async function checkLogits(session: DecoderSession, checks: Checks, what: string): Promise<void> {
  const logits = await session.readLogits();
  const wrong = logits.reduce((count, logit) => count + (Number.isFinite(logit) ? 0 : 1), 0);
  const differ = logits.some((logit) => logit !== logits[0]);
  checks.add(
    `${what}: logits`,
    wrong === 0 && differ,
    `${wrong} of ${logits.length} are not finite${differ ? "" : "; all are the same"}`,
  );
}

/** Time to the first token of a prompt. */
export interface PrefillSpeed {
  readonly promptTokens: number;
  readonly firstTokenMs: Measurement;
  readonly tokensPerSecond: Measurement;
  /** By kernel, of each request; empty without timestamps. */
  readonly profiles: readonly (readonly ProfiledRun[])[];
}

/** Measures a prompt to its first token. */
export async function measurePrefill(
  session: DecoderSession,
  promptTokens: number,
  { runs, warmUps }: Repeats,
  profiled: boolean,
  checks: Checks,
): Promise<PrefillSpeed> {
  const prompt = randomPrompt(promptTokens, session.decoder.vocabularySize);
  const request = { prompt, maxTokens: 1 };
  const results: TimedRequest[] = [];
  for (let run = 0; run < warmUps + runs; run++) results.push(await timeRequest(session, request));
  const what = `prompt of ${promptTokens}`;
  await checkLogits(session, checks, what);
  const profiles: (readonly ProfiledRun[])[] = [];
  const tokens = results.map((result) => result.tokens);
  const profiledRuns = profiled ? runs : 0;
  for (let run = 0; run < profiledRuns; run++) {
    const result = await profileRequest(session, request, "dispatch");
    if (result.runs.length === 0) break;
    profiles.push(result.runs);
    tokens.push(result.tokens);
  }
  checkTokens(checks, what, tokens);
  const firstTokenMs = measurementOf(results.slice(warmUps).map((result) => result.firstTokenMs));
  return {
    promptTokens,
    firstTokenMs,
    tokensPerSecond: convertMeasurement(firstTokenMs, (ms) => (1000 * promptTokens) / ms),
    profiles,
  };
}

/** Tokens after a context. */
export interface DecodeSpeed {
  /** Tokens of the prompt. */
  readonly context: number;
  /** Tokens generated after it. */
  readonly tokens: number;
  readonly tokensPerSecond: Measurement;
  /** The CPU's time to encode and submit a token. */
  readonly cpuMs: Measurement;
  /** The GPU's time of a token, from the begin of its pass to the end; none without timestamps. */
  readonly gpuMs: Measurement | undefined;
  /** By kernel, of each step; empty without timestamps. */
  readonly profile: readonly ProfiledRun[];
  /** The first of the tokens generated, to compare with another run's. */
  readonly firstTokens: readonly number[];
}

/** Steps whose dispatches are timed one by one. */
const PROFILED_STEPS = 16;
const SHOWN_TOKENS = 8;

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

/** Measures `tokens` tokens after a prompt of `context`, as the decode loop yields them; with a seed, or greedy. */
export async function measureDecode(
  session: DecoderSession,
  context: number,
  tokens: number,
  sampling: SamplingOptions,
  { runs, warmUps }: Repeats,
  profiled: boolean,
  checks: Checks,
): Promise<DecodeSpeed> {
  const prompt = randomPrompt(context, session.decoder.vocabularySize);
  const request = { prompt, maxTokens: tokens, sampling };
  const rates: number[] = [];
  const all: (readonly number[])[] = [];
  for (let run = 0; run < warmUps + runs; run++) {
    const result = await timeRequest(session, request);
    all.push(result.tokens);
    if (run >= warmUps) rates.push(((result.tokens.length - 1) * 1000) / result.decodeMs);
  }
  const what = `decoding at ${context}`;
  await checkLogits(session, checks, what);

  // Apart from the above, so that nothing is asked of the clock while it is measured.
  const cpu: number[] = [];
  const gpu: number[] = [];
  for (let run = 0; run < runs; run++) {
    const steps: number[] = [];
    const onSubmit: DecodeRequest["onSubmit"] = ({ phase, tokens: produced, cpuMs }) => {
      if (phase === "decode") steps.push(cpuMs / produced);
    };
    all.push((await timeRequest(session, { ...request, onSubmit })).tokens);
    cpu.push(mean(steps));
    const timed = await profileRequest(session, request, "run");
    if (timed.runs.length === 0) continue;
    all.push(timed.tokens);
    const decoded = runsOf(timed.runs, "decode");
    gpu.push(mean(decoded.map((step) => busyNs(step) / 1e6 / step.tokens)));
  }
  let profile: readonly ProfiledRun[] = [];
  if (profiled) {
    const steps = Math.min(tokens, PROFILED_STEPS + 1);
    const result = await profileRequest(session, { ...request, maxTokens: steps }, "dispatch");
    profile = runsOf(result.runs, "decode");
    if (result.runs.length > 0) {
      const same = all[0]!.slice(0, steps).join() === result.tokens.join();
      checks.add(`${what}: profiled tokens`, same, same ? "the same" : "differ");
    }
  }
  checkTokens(checks, what, all);
  return {
    context,
    tokens,
    tokensPerSecond: measurementOf(rates),
    cpuMs: measurementOf(cpu),
    gpuMs: gpu.length === 0 ? undefined : measurementOf(gpu),
    profile,
    firstTokens: all[0]!.slice(0, SHOWN_TOKENS),
  };
}
