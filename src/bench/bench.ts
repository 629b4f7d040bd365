/** Runs all measurements of a model on a device, in an order that keeps them from each other. */
import { RequestError } from "../errors.ts";
import { DecoderSession } from "../generate/decoder-session.ts";
import { adapterName } from "../gpu/capabilities.ts";
import type { GpuDevice } from "../gpu/device.ts";
import type { DecoderGraph, DecoderOptions } from "../graph/decoder-graph.ts";
import { PROMPT_CHUNK } from "../load-model.ts";
import { measureArithmetic } from "./ceilings/arithmetic.ts";
import { measureReadBandwidth } from "./ceilings/bandwidth.ts";
import { Checks } from "./checks.ts";
import { promptWork, stepWork } from "./planned-work.ts";
import { measureProducts } from "./products.ts";
import { compareWithReference, keepLogits } from "./reference-check.ts";
import type { KeptLogits } from "./reference-check.ts";
import { REPORT_VERSION } from "./report.ts";
import type { BenchModel, BenchReport, ColdStart, DecodeResult, PrefillResult } from "./report.ts";
import { limitOf, rooflineOf } from "./roofline.ts";
import type { Ceilings } from "./roofline.ts";
import { measureDecode, measurePrefill, randomPrompt, timeRequest } from "./session-speed.ts";

/** A model to measure: a file's, or a shape with random weights. */
export interface BenchSubject {
  readonly name: string;
  readonly architecture: string;
  readonly parameters: number;
  readonly randomWeights: boolean;
  /** Positions the model can attend to. */
  readonly contextLength: number;
  build(options: DecoderOptions): Promise<DecoderGraph>;
}

export interface BenchOptions {
  /** Prompt lengths, and contexts to decode at. */
  readonly prompts: readonly number[];
  readonly contexts: readonly number[];
  /** Tokens decoded at each context. */
  readonly tokens: number;
  /** Repeats that count, and requests before them. */
  readonly runs: number;
  readonly warmUps: number;
  readonly coldRuns: number;
  /** Times of single kernels and products. */
  readonly kernels: boolean;
  /** Contexts up to this are compared with plain f32; 0 for none. */
  readonly checkUpTo: number;
  readonly cacheType: "f16" | "f32";
  /** Ceilings and products of a size for a CPU; by default where the adapter is one. */
  readonly small?: boolean;
}

/** What a benchmark is given besides its options. */
export interface BenchEnvironment {
  /** A new device at each call; the last one is disposed before. */
  openDevice(): Promise<GpuDevice>;
  /** Reads the model's metadata anew at each call. */
  openSubject(): Promise<BenchSubject>;
  readonly versions: Readonly<Record<string, string>>;
  readonly dawnFeatures: readonly string[];
  /** Memory of the process, where that can be told. */
  readonly residentBytes?: () => number;
  onProgress(message: string): void;
  onWarning(message: string): void;
  readonly signal?: AbortSignal;
}

/** How often memory is looked at while a model loads. */
const MEMORY_INTERVAL_MS = 5;

/** Where the context is counted in steps of the cache that kernels read at once. */
const CONTEXT_MULTIPLE = 64;

function contextLengthFor(options: BenchOptions, subject: BenchSubject): number {
  const longest = Math.max(
    ...options.prompts.map((prompt) => prompt + 1),
    ...options.contexts.map((context) => context + options.tokens),
  );
  if (longest > subject.contextLength) {
    throw new RequestError(
      `bench: ${longest} positions are needed; ${subject.name} has ${subject.contextLength}`,
    );
  }
  const rounded = Math.ceil(longest / CONTEXT_MULTIPLE) * CONTEXT_MULTIPLE;
  return Math.min(rounded, subject.contextLength);
}

/** A model that was loaded to be measured. */
interface Loaded {
  readonly gpu: GpuDevice;
  readonly subject: BenchSubject;
  readonly session: DecoderSession;
  readonly cold: ColdStart;
}

class Bench {
  readonly #options: BenchOptions;
  readonly #environment: BenchEnvironment;
  readonly #checks = new Checks();
  readonly #warnings: string[] = [];
  readonly #date = new Date().toISOString();

  constructor(options: BenchOptions, environment: BenchEnvironment) {
    this.#options = options;
    this.#environment = environment;
  }

  #begin(message: string): void {
    this.#environment.signal?.throwIfAborted();
    this.#environment.onProgress(message);
  }

  readonly #warn = (message: string): void => {
    this.#warnings.push(message);
    this.#environment.onWarning(message);
  };

  /** A device whose errors count as failed checks: a kernel that did not run is fast. */
  async #openDevice(): Promise<GpuDevice> {
    const gpu = await this.#environment.openDevice();
    gpu.device.addEventListener("uncapturederror", ({ error }) => {
      this.#checks.add("no errors of the GPU", false, error.message);
    });
    return gpu;
  }

  async run(): Promise<BenchReport> {
    const { coldRuns } = this.#options;
    // Told before anything takes time.
    contextLengthFor(this.#options, await this.#environment.openSubject());
    const ceilings = await this.#measureCeilings();
    const coldStarts: ColdStart[] = [];
    let loaded: Loaded | undefined;
    for (let run = 0; run < coldRuns; run++) {
      await loaded?.session.dispose();
      await loaded?.gpu.dispose();
      this.#begin(`cold start ${run + 1} of ${coldRuns}`);
      loaded = await this.#load();
      coldStarts.push(loaded.cold);
    }
    if (loaded === undefined) throw new RequestError("bench: at least one cold start is needed");
    const { gpu } = loaded;
    try {
      return await this.#measure(loaded, ceilings, coldStarts);
    } finally {
      await loaded.session.dispose();
      await gpu.dispose();
    }
  }

  async #measureCeilings(): Promise<BenchReport["ceilings"]> {
    this.#begin("the device's ceilings");
    const gpu = await this.#openDevice();
    try {
      const { runs, small = gpu.capabilities.software } = this.#options;
      const read = await measureReadBandwidth(gpu, runs, small, this.#checks);
      const arithmetic = await measureArithmetic(gpu, runs, small, this.#checks);
      return { read, arithmetic };
    } finally {
      await gpu.dispose();
    }
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
  async #load(): Promise<Loaded> {
    const { cacheType, prompts, contexts } = this.#options;
    const gpu = await this.#openDevice();
    try {
      const began = performance.now();
      const subject = await this.#environment.openSubject();
      const contextLength = contextLengthFor(this.#options, subject);
      const decoder = await subject.build({
        contextLength,
        maxSequenceLength: Math.min(PROMPT_CHUNK, contextLength),
        cacheType,
      });
      const { signal } = this.#environment;
      const { result: session, ...memory } = await this.#watchMemory(() =>
        DecoderSession.load(gpu, decoder, { signal }),
      );
      const loadMs = performance.now() - began;
      const promptTokens = Math.min(...prompts, ...contexts);
      const prompt = randomPrompt(promptTokens, decoder.vocabularySize);
      const { firstTokenMs } = await timeRequest(session, { prompt, maxTokens: 1 });
      return { gpu, subject, session, cold: { loadMs, firstTokenMs, promptTokens, ...memory } };
    } catch (error) {
      await gpu.dispose();
      throw error;
    }
  }

  async #measure(
    { gpu, subject, session }: Loaded,
    ceilings: BenchReport["ceilings"],
    coldStarts: readonly ColdStart[],
  ): Promise<BenchReport> {
    const { runs, warmUps, tokens, kernels, cacheType, checkUpTo } = this.#options;
    const bounds: Ceilings = {
      bytesPerSecond: ceilings.read.bytesPerSecond.median,
      operationsPerSecond: Object.fromEntries(
        ceilings.arithmetic.map(({ unit, operationsPerSecond }) => [
          unit,
          operationsPerSecond.median,
        ]),
      ),
    };
    const model: BenchModel = {
      name: subject.name,
      architecture: subject.architecture,
      parameters: subject.parameters,
      randomWeights: subject.randomWeights,
      ...session.memory,
      contextLength: session.decoder.contextLength,
      cacheType,
      promptChunk: session.decoder.sequenceLength.max,
    };
    const prefill: PrefillResult[] = [];
    for (const promptTokens of this.#options.prompts) {
      prefill.push(await this.#prefill(session, promptTokens, bounds));
    }
    const decode: DecodeResult[] = [];
    for (const context of this.#options.contexts) {
      decode.push(await this.#decode(session, context, bounds));
    }
    const kept: KeptLogits[] = [];
    for (const context of new Set([...this.#options.prompts, ...this.#options.contexts])) {
      if (context <= checkUpTo) kept.push(await keepLogits(session, context));
    }
    // Gives its memory to what follows.
    await session.dispose();
    if (kept.length > 0) {
      this.#begin("comparing logits with plain f32");
      await compareWithReference(gpu, (options) => subject.build(options), kept, this.#checks);
    }
    let products: BenchReport["products"] = [];
    if (kernels) {
      this.#begin("single products");
      const { small = gpu.capabilities.software } = this.#options;
      const measured = await measureProducts(gpu, runs, small, this.#checks, this.#warn);
      products = measured.map((product) => {
        const { ns, bound } = limitOf(product, bounds);
        return { ...product, bound, ofBound: ns / (product.microseconds.median * 1000) };
      });
    }
    return {
      format: "tetrad-bench",
      version: REPORT_VERSION,
      date: this.#date,
      versions: this.#environment.versions,
      device: {
        name: adapterName(gpu.capabilities.adapter),
        capabilities: gpu.capabilities,
        dawnFeatures: this.#environment.dawnFeatures,
      },
      model,
      method: { runs, warmUps, tokens, prefixReuse: false },
      ceilings,
      coldStarts,
      prefill,
      decode,
      products,
      checks: this.#checks.all,
      warnings: this.#warnings,
    };
  }

  async #prefill(
    session: DecoderSession,
    promptTokens: number,
    bounds: Ceilings,
  ): Promise<PrefillResult> {
    const { kernels } = this.#options;
    this.#begin(`prompt of ${promptTokens}`);
    const speed = await measurePrefill(session, promptTokens, this.#options, kernels, this.#checks);
    const { profiles, ...result } = speed;
    const { limitMs, ...work } = promptWork(session, promptTokens, bounds);
    return {
      ...result,
      ...work,
      boundTokensPerSecond: (1000 * promptTokens) / limitMs,
      kernels: rooflineOf(profiles, bounds),
    };
  }

  async #decode(session: DecoderSession, context: number, bounds: Ceilings): Promise<DecodeResult> {
    const { tokens, kernels } = this.#options;
    this.#begin(`decoding at ${context}`);
    const speed = await measureDecode(
      session,
      context,
      tokens,
      this.#options,
      kernels,
      this.#checks,
    );
    const { profile, ...result } = speed;
    // In the middle of what was decoded.
    const position = context + Math.floor(tokens / 2);
    const { limitMs, ...work } = stepWork(session, position, bounds);
    return {
      ...result,
      ...work,
      boundTokensPerSecond: 1000 / limitMs,
      kernels: rooflineOf(
        profile.map((step) => [step]),
        bounds,
      ),
    };
  }
}

/**
 * Measures the device, then the model on it. Rejects with `RequestError` for options the model cannot
 * serve and with `DeviceError`; figures whose check failed are in the report, with the check.
 */
export function runBench(
  options: BenchOptions,
  environment: BenchEnvironment,
): Promise<BenchReport> {
  return new Bench(options, environment).run();
}
