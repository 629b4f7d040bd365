import type {
  LoadOptions,
  LoadProgramOptions,
  ModelLocation,
  TetradOptions,
  TuneOptions,
  TuneResult,
} from "./api.ts";
import type { ByteSource } from "./byte-source.ts";
import type { Capabilities } from "./gpu/capabilities.ts";
import { adapterName } from "./gpu/capabilities.ts";
import { GpuDevice } from "./gpu/device.ts";
import type { DeviceError } from "./errors.ts";
import { loadModel, tuneModel } from "./load-model.ts";
import type { Model } from "./model.ts";
import { LoadedProgram } from "./program/loaded-program.ts";
import { describeCall } from "./tune/describe-call.ts";
import type { TuningPlace } from "./tuned-plans.ts";
import type { TuningStore } from "./tuning-store.ts";

/** When a tuning is asked for, it may take longer than one that a load waits for. */
const TUNE_BUDGET_MS = 10_000;

/** What an environment provides: a GPU and bytes by range. */
export interface Platform {
  findGpu(options: TetradOptions): Promise<{ readonly gpu: GPU; readonly adapter: GPUAdapter }>;
  openSource(location: ModelLocation, signal?: AbortSignal): Promise<ByteSource>;
  /** WGSL language features, for a device that the caller brought. */
  wgslFeatures(): ReadonlySet<string>;
  /** Where choices among kernels are kept, if anywhere. */
  tuningStore(): TuningStore | undefined;
}

/** A GPU and the models on it. Made by `Tetrad.create`. */
export class TetradRuntime {
  readonly #gpu: GpuDevice;
  readonly #platform: Platform;
  readonly #onWarning: (message: string) => void;
  readonly #tuning: TuningPlace;
  readonly #models = new Set<Model>();
  readonly #programs = new Set<LoadedProgram>();

  protected constructor(gpu: GpuDevice, platform: Platform, options: TetradOptions) {
    this.#gpu = gpu;
    this.#platform = platform;
    this.#onWarning = options.onWarning ?? (() => {});
    const { tuningStore = platform.tuningStore(), dawnFeatures = [] } = options;
    this.#tuning = {
      store: tuningStore === false ? undefined : tuningStore,
      settings: dawnFeatures,
    };
  }

  /** Finds a device, or takes the caller's. */
  protected static async acquire(platform: Platform, options: TetradOptions): Promise<GpuDevice> {
    const deviceOptions = options.restrict === undefined ? {} : { restrict: options.restrict };
    if (options.device !== undefined) {
      return GpuDevice.fromDevice(options.device, platform.wgslFeatures(), deviceOptions);
    }
    const { gpu, adapter } = await platform.findGpu(options);
    return GpuDevice.fromAdapter(adapter, gpu.wgslLanguageFeatures, deviceOptions);
  }

  /** What the device can do. */
  get capabilities(): Capabilities {
    return this.#gpu.capabilities;
  }

  /** The GPU, as its driver calls it. */
  get adapterName(): string {
    return adapterName(this.#gpu.capabilities.adapter);
  }

  /** Calls `listener` when the device is lost: models on it are gone. Returns how to stop. */
  onLost(listener: (error: DeviceError) => void): () => void {
    return this.#gpu.onLost(listener);
  }

  /**
   * Loads a model: reads its metadata, streams the weights to the GPU, compiles the kernels. Rejects
   * with `FormatError`, `UnsupportedError`, `RequestError` or `DeviceError`, or the signal's reason;
   * nothing then stays on the GPU.
   */
  async load(location: ModelLocation, options: LoadOptions = {}): Promise<Model> {
    return this.#withSources(location, options, async (source, tokenizer) => {
      const onDispose = (disposed: Model) => this.#models.delete(disposed);
      const model = await loadModel(this.#gpu, source, tokenizer, options, onDispose, this.#tuning);
      this.#models.add(model);
      for (const warning of model.warnings) this.#onWarning(warning);
      return model;
    });
  }

  /**
   * Measures on this device, anew, which kernels are fastest for a model's shapes, and keeps the
   * choices for later loads. Reads the model's metadata only. Rejects as {@link load} does.
   */
  async tune(location: ModelLocation, options: TuneOptions = {}): Promise<TuneResult> {
    const { budgetMs = TUNE_BUDGET_MS, onProgress, ...loadOptions } = options;
    return this.#withSources(location, loadOptions, async (source, tokenizer) => {
      const { results, warnings } = await tuneModel(this.#gpu, source, tokenizer, loadOptions, {
        ...this.#tuning,
        budgetMs,
        signal: loadOptions.signal,
        precision: loadOptions.precision,
        ...(onProgress === undefined ? {} : { onCall: onProgress }),
      });
      for (const warning of warnings) this.#onWarning(warning);
      return { calls: results.map(describeCall), warnings };
    });
  }

  async #withSources<T>(
    location: ModelLocation,
    { tokenizer: tokenizerLocation, signal }: Pick<LoadOptions, "tokenizer" | "signal">,
    use: (source: ByteSource, tokenizer: ByteSource | undefined) => Promise<T>,
  ): Promise<T> {
    const source = await this.#platform.openSource(location, signal);
    const tokenizer =
      tokenizerLocation === undefined
        ? undefined
        : await this.#platform.openSource(tokenizerLocation, signal);
    try {
      return await use(source, tokenizer);
    } finally {
      await source.close();
      await tokenizer?.close();
    }
  }

  /**
   * Loads an ExecuTorch program (`.pte`) to run its methods with tensors of the caller's. Rejects as
   * {@link load} does; one `UnsupportedError` names every operator that is not supported.
   */
  async loadProgram(
    location: ModelLocation,
    options: LoadProgramOptions = {},
  ): Promise<LoadedProgram> {
    const { data = [], ...rest } = options;
    const sources: ByteSource[] = [];
    const open = async (from: ModelLocation) => {
      const source = await this.#platform.openSource(from, rest.signal);
      sources.push(source);
      return source;
    };
    try {
      const source = await open(location);
      const files: ByteSource[] = [];
      for (const file of data) files.push(await open(file));
      const program = await LoadedProgram.load(this.#gpu, source, { ...rest, data: files });
      this.#programs.add(program);
      return program;
    } finally {
      for (const source of sources) await source.close();
    }
  }

  /** Disposes every model, every program and the device, unless the caller brought it. */
  async dispose(): Promise<void> {
    // Disposing takes the model out of the set, which iteration allows.
    for (const model of this.#models) await model.dispose();
    // Disposing one twice does nothing.
    for (const program of this.#programs) await program.dispose();
    await this.#gpu.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}
