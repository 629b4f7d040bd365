/** Loads a model from nothing, on a device of its own, as a program does that has just been started. */
import type { GpuDevice } from "../gpu/device.ts";
import { planDecoder } from "../generate/decoder-plans.ts";
import { DecoderSession } from "../generate/decoder-session.ts";
import type { DecoderGraph } from "../graph/decoder-graph.ts";
import { promptChunk } from "../prompt-chunk.ts";
import { describeCall } from "../tune/describe-call.ts";
import { planTuned } from "../tuned-plans.ts";
import type { TuningPlace } from "../tuned-plans.ts";
import type { TuningStore } from "../tuning-store.ts";
import { contextLengthFor } from "./options.ts";
import type { BenchEnvironment, BenchOptions, BenchSubject } from "./options.ts";
import type { BenchReport, ColdStart } from "./report.ts";
import { randomPrompt, timeRequest } from "./session-speed.ts";

/** Enough for every call of a model, so that nothing is left to a load. */
const TUNE_BUDGET_MS = 30_000;

/** Choices for this benchmark alone: measured anew, whatever was kept, and kept nowhere. */
class MemoryTuningStore implements TuningStore {
  readonly #texts = new Map<string, string>();

  read(name: string): Promise<string | undefined> {
    return Promise.resolve(this.#texts.get(name));
  }

  write(name: string, text: string): Promise<void> {
    this.#texts.set(name, text);
    return Promise.resolve();
  }
}

/** How often memory is looked at while a model loads. */
const MEMORY_INTERVAL_MS = 5;

/** A model that was loaded to be measured. */
export interface Loaded {
  readonly subject: BenchSubject;
  readonly session: DecoderSession;
  readonly cold: ColdStart;
}

/** Chooses kernels and loads the model, again and again. */
export class Loader {
  readonly #options: BenchOptions;
  readonly #environment: BenchEnvironment;
  readonly #place: TuningPlace;

  constructor(options: BenchOptions, environment: BenchEnvironment) {
    this.#options = options;
    this.#environment = environment;
    this.#place = { store: new MemoryTuningStore(), settings: environment.dawnFeatures };
  }

  /** Where choices among kernels are kept; undefined where the defaults are to run. */
  placeFor(gpu: GpuDevice): TuningPlace | undefined {
    return (this.#options.tune ?? !gpu.capabilities.software) ? this.#place : undefined;
  }

  /** Lets the device choose among kernels; later loads then find the choices. */
  async tune(gpu: GpuDevice, onWarning: (message: string) => void): Promise<BenchReport["tuning"]> {
    const place = this.placeFor(gpu);
    if (place === undefined) return undefined;
    const began = performance.now();
    const decoder = await this.#build(gpu, await this.#environment.openSubject());
    const { results, warnings } = await planTuned(gpu, decoder, {
      ...place,
      budgetMs: TUNE_BUDGET_MS,
      signal: this.#environment.signal,
    });
    for (const warning of warnings) onWarning(warning);
    return { milliseconds: performance.now() - began, calls: results.map(describeCall) };
  }

  #build({ capabilities }: GpuDevice, subject: BenchSubject): Promise<DecoderGraph> {
    const contextLength = contextLengthFor(this.#options, subject);
    return subject.build({
      contextLength,
      maxSequenceLength: Math.min(promptChunk(capabilities), contextLength),
      cacheType: this.#options.cacheType,
    });
  }

  /** Runs `work` and says how far memory rose meanwhile. */
  async #watchMemory<T>(work: () => Promise<T>): Promise<{ result: T; peakBytes?: number }> {
    const bytes = this.#environment.residentBytes;
    if (bytes === undefined) return { result: await work() };
    const before = bytes();
    let peak = before;
    const watch = setInterval(() => (peak = Math.max(peak, bytes())), MEMORY_INTERVAL_MS);
    try {
      return { result: await work(), peakBytes: Math.max(peak, bytes()) - before };
    } finally {
      clearInterval(watch);
    }
  }

  /** Times everything from a new device to the first token. */
  async load(gpu: GpuDevice): Promise<Loaded> {
    const { prompts, contexts } = this.#options;
    const began = performance.now();
    const subject = await this.#environment.openSubject();
    const decoder = await this.#build(gpu, subject);
    const { signal } = this.#environment;
    const place = this.placeFor(gpu);
    const { plans } =
      place === undefined
        ? { plans: planDecoder(decoder, gpu.capabilities) }
        : await planTuned(gpu, decoder, { ...place, signal });
    const { result: session, ...memory } = await this.#watchMemory(() =>
      DecoderSession.load(gpu, decoder, { plans, signal }),
    );
    const loadMs = performance.now() - began;
    const promptTokens = Math.min(...prompts, ...contexts);
    const prompt = randomPrompt(promptTokens, decoder.vocabularySize);
    const { firstTokenMs } = await timeRequest(session, { prompt, maxTokens: 1 });
    return { subject, session, cold: { loadMs, firstTokenMs, promptTokens, ...memory } };
  }
}
