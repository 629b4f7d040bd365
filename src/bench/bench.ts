/** Runs all measurements of a model on a device, in an order that keeps them from each other. */
import { samplerMode } from "../generate/decoder-plans.ts";
import type { DecoderSession } from "../generate/decoder-session.ts";
import { adapterName } from "../gpu/capabilities.ts";
import type { GpuDevice } from "../gpu/device.ts";
import { measureArithmetic } from "./ceilings/arithmetic.ts";
import { measureReadBandwidth } from "./ceilings/bandwidth.ts";
import { Checks } from "./checks.ts";
import { Loader } from "./cold-start.ts";
import type { Loaded } from "./cold-start.ts";
import { contextLengthFor } from "./options.ts";
import type { BenchEnvironment, BenchOptions } from "./options.ts";
import { promptWork, stepWork } from "./planned-work.ts";
import { measureProducts } from "./products.ts";
import { compareWithReference, keepLogits } from "./reference-check.ts";
import type { KeptLogits } from "./reference-check.ts";
import { REPORT_VERSION } from "./report.ts";
import type { BenchModel, BenchReport, ColdStart, DecodeResult, PrefillResult } from "./report.ts";
import { limitOf, rooflineOf } from "./roofline.ts";
import type { Ceilings } from "./roofline.ts";
import { measureDecode, measurePrefill, randomPrompt, timeRequest } from "./session-speed.ts";
import { warmUp } from "./warm-up.ts";

class Bench {
  readonly #options: BenchOptions;
  readonly #environment: BenchEnvironment;
  readonly #checks = new Checks();
  readonly #warnings: string[] = [];
  readonly #date = new Date().toISOString();
  readonly #loader: Loader;

  constructor(options: BenchOptions, environment: BenchEnvironment) {
    this.#options = options;
    this.#environment = environment;
    this.#loader = new Loader(options, environment);
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
    const tuning = await this.#tune();
    const coldStarts: ColdStart[] = [];
    for (let run = 1; run < coldRuns; run++) {
      coldStarts.push(await this.#loadOnce(run, ({ cold }) => Promise.resolve(cold)));
    }
    return this.#loadOnce(coldRuns, async (loaded, gpu) => {
      coldStarts.push(loaded.cold);
      const report = await this.#measure(loaded, gpu, ceilings, coldStarts);
      return { ...report, ...(tuning === undefined ? {} : { tuning }) };
    });
  }

  /** Loads the model on a device of its own, for as long as `work` takes. */
  async #loadOnce<T>(
    run: number,
    work: (loaded: Loaded, gpu: GpuDevice) => Promise<T>,
  ): Promise<T> {
    this.#begin(`cold start ${run} of ${this.#options.coldRuns}`);
    const gpu = await this.#openDevice();
    try {
      const loaded = await this.#loader.load(gpu);
      try {
        return await work(loaded, gpu);
      } finally {
        await loaded.session.dispose();
      }
    } finally {
      await gpu.dispose();
    }
  }

  async #tune(): Promise<BenchReport["tuning"]> {
    const gpu = await this.#openDevice();
    try {
      if (this.#loader.placeFor(gpu) === undefined) return undefined;
      this.#begin("choosing kernels");
      return await this.#loader.tune(gpu, this.#warn);
    } finally {
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

  async #measure(
    { subject, session }: Loaded,
    gpu: GpuDevice,
    ceilings: BenchReport["ceilings"],
    coldStarts: readonly ColdStart[],
  ): Promise<BenchReport> {
    const { runs, warmUps, tokens, kernels, cacheType, checkUpTo } = this.#options;
    const { sampling = {}, small = gpu.capabilities.software } = this.#options;
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
    // Its GPU waited while the model was loaded.
    const shortest = randomPrompt(1, session.decoder.vocabularySize);
    await warmUp(small, () => timeRequest(session, { prompt: shortest, maxTokens: tokens }));
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
      const measured = await measureProducts(
        gpu,
        runs,
        { small, tuning: this.#loader.placeFor(gpu) },
        this.#checks,
        this.#warn,
      );
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
      method: {
        runs,
        warmUps,
        tokens,
        prefixReuse: false,
        ...(samplerMode(sampling) === "greedy" ? {} : { sampling }),
      },
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
    const { tokens, kernels, sampling = {} } = this.#options;
    this.#begin(`decoding at ${context}`);
    const speed = await measureDecode(
      session,
      context,
      tokens,
      sampling,
      this.#options,
      kernels,
      this.#checks,
    );
    const { profile, ...result } = speed;
    // In the middle of what was decoded.
    const position = context + Math.floor(tokens / 2);
    const { limitMs, ...work } = stepWork(session, position, sampling, bounds);
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
