import type { SamplingOptions } from "../api.ts";
import { DeviceError, RequestError } from "../errors.ts";
import type { GpuDevice } from "../gpu/device.ts";
import type { TimestampReadback } from "../gpu/query-pool.ts";
import { ReadbackRing } from "../gpu/readback-ring.ts";
import type { Readback } from "../gpu/readback-ring.ts";
import { BufferSet } from "../graph/buffer-set.ts";
import { ConstantStore } from "../graph/constant-store.ts";
import type { StoreProgress } from "../graph/constant-store.ts";
import type { DecoderGraph } from "../graph/decoder-graph.ts";
import { Executor } from "../graph/executor.ts";
import type { Plan } from "../graph/plan.ts";
import { encodeSampling, filtersOf } from "../graph/sampling.ts";
import { SymIntValues } from "../graph/symint.ts";
import { allPlans, planDecoder, samplerMode } from "./decoder-plans.ts";
import type { DecoderPlans } from "./decoder-plans.ts";
import { Profiler } from "./profiler.ts";
import type { ProfiledWork, ProfilerGranularity } from "./profiler.ts";
import { ArrivalPace } from "./step-pace.ts";
import type { StepPace } from "./step-pace.ts";

/** What a run of tokens should do. */
export interface DecodeRequest {
  /** The whole context so far: at least one token. */
  readonly prompt: readonly number[];
  readonly sampling?: SamplingOptions;
  /** Most tokens to produce; the context's end may come first. */
  readonly maxTokens: number;
  readonly signal?: AbortSignal;
  /** Keep what the cache already holds of this prompt. Default true. */
  readonly reuseCache?: boolean;
  /** Takes the times of every dispatch; from {@link DecoderSession.createProfiler}. */
  readonly profiler?: Profiler;
  /** Told of every submit, in order, what the CPU spent on it. */
  readonly onSubmit?: (submitted: SubmittedWork) => void;
}

/** What a submit computes, and the CPU's time to compute sizes, encode and submit it. */
export interface SubmittedWork extends ProfiledWork {
  readonly cpuMs: number;
}

/** What one submit is to do: by default, one run over one token, whose choice is read back. */
interface Submission {
  /** Of each run. */
  readonly tokens?: number;
  /** The token that each run ends in is read back. */
  readonly sample?: boolean;
  readonly runs?: number;
}

/** How a decoder is put on the GPU. */
export interface SessionOptions {
  /** The decoder's, for this device; made without measurements if absent. */
  readonly plans?: DecoderPlans;
  readonly onWeights?: StoreProgress;
  /** Called when the weights are there and kernels are compiled. */
  readonly onCompile?: () => void;
  /** How steps are queued; found from when tokens arrive if absent. */
  readonly pace?: StepPace;
  readonly signal?: AbortSignal | undefined;
}

/**
 * A decoder on the GPU: weights, KV caches, and the token loop. Position and current token live on
 * the GPU; the CPU only queues steps and reads tokens back behind them. One request at a time.
 */
export class DecoderSession {
  readonly decoder: DecoderGraph;
  readonly plans: DecoderPlans;
  readonly #gpu: GpuDevice;
  readonly #constants: ConstantStore;
  readonly #buffers: BufferSet;
  readonly #executors = new Map<Plan, Promise<Executor>>();
  readonly #values = new SymIntValues();
  readonly #tokens: ReadbackRing;
  readonly #pace: StepPace;
  /** Tokens whose keys and values the caches hold, from position 0. */
  #cached: number[] = [];
  #busy = false;
  /** Of the request that runs. */
  #profiler: Profiler | undefined;
  #onSubmit: DecodeRequest["onSubmit"];
  #disposed = false;

  private constructor(
    gpu: GpuDevice,
    decoder: DecoderGraph,
    plans: DecoderPlans,
    pace: StepPace = new ArrivalPace(gpu.capabilities),
  ) {
    this.#gpu = gpu;
    this.decoder = decoder;
    this.plans = plans;
    this.#constants = new ConstantStore(gpu);
    this.#buffers = new BufferSet(gpu, decoder.graph.name, this.#constants);
    this.#tokens = new ReadbackRing(gpu, `${decoder.graph.name}.tokens`, 4);
    this.#pace = pace;
  }

  /**
   * Plans, allocates, streams the weights to the GPU, and compiles what a greedy answer needs.
   */
  static async load(
    gpu: GpuDevice,
    decoder: DecoderGraph,
    { plans = planDecoder(decoder, gpu.capabilities), ...options }: SessionOptions = {},
  ): Promise<DecoderSession> {
    const { onWeights, onCompile, pace, signal } = options;
    const session = new DecoderSession(gpu, decoder, plans, pace);
    try {
      const all = allPlans(plans);
      await gpu.catchOutOfMemory("allocating the cache and intermediate results", () =>
        Promise.resolve(session.#buffers.allocate(all)),
      );
      const constants = new Set(all.flatMap((plan) => plan.constants));
      await session.#constants.load([...constants], onWeights, signal);
      onCompile?.();
      await Promise.all(
        [plans.fill, plans.prompt.greedy, plans.step.greedy].map((plan) => session.#executor(plan)),
      );
      signal?.throwIfAborted();
      return session;
    } catch (error) {
      await session.dispose();
      throw error;
    }
  }

  /** Bytes of weights, and of everything else, on the GPU. */
  get memory(): { readonly weightBytes: number; readonly workingBytes: number } {
    return {
      weightBytes: this.#constants.byteLength,
      workingBytes: this.#buffers.byteLength,
    };
  }

  /** A profiler for one request; undefined where the device has no timestamps. */
  createProfiler(granularity?: ProfilerGranularity): Profiler | undefined {
    if (!this.#gpu.capabilities.timestamps) return undefined;
    const dispatches = allPlans(this.plans).map((plan) => plan.dispatches.length);
    return new Profiler(this.#gpu, Math.max(...dispatches), granularity);
  }

  #executor(plan: Plan): Promise<Executor> {
    let executor = this.#executors.get(plan);
    if (executor === undefined) {
      executor = Executor.prepare(this.#gpu, plan, this.#buffers);
      this.#executors.set(plan, executor);
      executor.catch(() => this.#executors.delete(plan));
    }
    return executor;
  }

  /** Throws where there is nothing to run on any more, be it in the middle of a request. */
  #assertUsable(): void {
    if (this.#disposed) throw new RequestError("generate: the model was disposed");
    this.#gpu.assertUsable();
  }

  #check({ prompt, maxTokens }: DecodeRequest): void {
    const { vocabularySize, contextLength } = this.decoder;
    if (this.#busy) throw new RequestError("generate: another generation of this model is running");
    if (prompt.length === 0) throw new RequestError("generate: the prompt is empty");
    if (prompt.length > contextLength) {
      throw new RequestError(
        `generate: the prompt has ${prompt.length} tokens; the context holds ${contextLength}`,
      );
    }
    const bad = prompt.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabularySize);
    if (bad !== undefined) {
      throw new RequestError(
        `generate: token ${bad} is not in the vocabulary of ${vocabularySize}`,
      );
    }
    if (!Number.isInteger(maxTokens) || maxTokens < 1) {
      throw new RequestError(`generate: maxTokens is ${maxTokens}; allowed: an integer from 1`);
    }
  }

  /**
   * Yields the tokens that follow the prompt, as they come back from the GPU. Rejects with
   * `RequestError` before anything is written, with the signal's reason when aborted, and with
   * `DeviceError` when the device fails; after either the session can be used again.
   */
  async *decode(request: DecodeRequest): AsyncGenerator<number, void, void> {
    this.#assertUsable();
    this.#check(request);
    const sampling = samplingWords(request.sampling);
    request.signal?.throwIfAborted();
    this.#busy = true;
    this.#profiler = request.profiler;
    this.#onSubmit = request.onSubmit;
    const pending: Promise<number>[] = [];
    try {
      yield* this.#run(request, sampling, pending);
    } finally {
      // Steps queued beyond the last token that was wanted: let them finish, so that their slots
      // are free and nothing runs when the caller disposes.
      await Promise.allSettled(pending);
      this.#busy = false;
      this.#profiler = undefined;
      this.#onSubmit = undefined;
    }
  }

  async *#run(
    request: DecodeRequest,
    sampling: Uint32Array<ArrayBuffer>,
    pending: Promise<number>[],
  ): AsyncGenerator<number, void, void> {
    const { prompt, maxTokens, signal, reuseCache = true } = request;
    const mode = samplerMode(request.sampling ?? {});
    const step = await this.#executor(this.plans.step[mode]);
    const promptExecutor = await this.#executor(this.plans.prompt[mode]);
    const fill = await this.#executor(this.plans.fill);

    this.#writeSamplerState(prompt, sampling);
    this.#values.set(this.plans.state.filters, filtersOf(request.sampling ?? {}));
    const kept = reuseCache ? commonPrefix(this.#cached, prompt) : 0;
    this.#cached = prompt.slice(0, kept);
    const chunk = this.decoder.sequenceLength.max;
    let previous: Promise<void> | undefined;
    while (prompt.length - this.#cached.length > chunk) {
      signal?.throwIfAborted();
      const tokens = prompt.slice(this.#cached.length, this.#cached.length + chunk);
      void this.#submitPrompt(fill, tokens);
      this.#cached.push(...tokens);
      // One chunk stays queued behind the one that runs, so that the GPU never waits, and no more, so
      // that an abort takes effect soon.
      const done = this.#gpu.idle();
      done.catch(() => {});
      await previous;
      previous = done;
    }
    signal?.throwIfAborted();
    const rest = prompt.slice(this.#cached.length);
    const first =
      rest.length === 1
        ? this.#submitFirstStep(step, rest[0]!)
        : this.#submitPrompt(promptExecutor, rest, true);
    this.#cached.push(...rest);
    if (first === undefined) throw new Error("decoder: no token to read");
    pending.push(first);

    const limit = Math.min(maxTokens, this.decoder.contextLength - prompt.length + 1);
    // Timestamps are of one run.
    const single = !step.uploadsNothing || request.profiler !== undefined;
    this.#pace.begin();
    let queued = 1;
    for (let produced = 0; produced < limit; produced++) {
      const { steps, inFlight } = this.#pace.ahead(single);
      while (queued < limit && pending.length <= inFlight - steps) {
        const count = Math.min(steps, limit - queued);
        pending.push(...this.#submitSteps(step, prompt.length + queued - 1, count));
        queued += count;
      }
      const next = pending[0];
      if (next === undefined) throw new Error("decoder: nothing is queued");
      const token = await next;
      void pending.shift();
      this.#pace.arrived(performance.now());
      yield token;
      // Its keys and values are computed by the step that follows it.
      if (produced + 1 < queued) this.#cached.push(token);
      signal?.throwIfAborted();
    }
  }

  #writeSamplerState(prompt: readonly number[], sampling: Uint32Array<ArrayBuffer>): void {
    this.#assertUsable();
    const { state } = this.plans;
    const seen = new Uint32Array(Math.ceil(this.decoder.vocabularySize / 32));
    for (const id of prompt) seen[id >>> 5]! |= 1 << (id & 31);
    const { queue } = this.#gpu;
    queue.writeBuffer(this.#buffers.tensor(state.seen), 0, seen);
    queue.writeBuffer(this.#buffers.tensor(state.sampling), 0, sampling);
  }

  #writePosition(position: number): void {
    this.#assertUsable();
    const buffer = this.#buffers.tensor(this.decoder.inputPos);
    this.#gpu.queue.writeBuffer(buffer, 0, new Int32Array([position]));
    this.#values.set(this.decoder.position, position);
  }

  /** Runs prompt tokens from the cache's end; with `sample`, the token that follows is read back. */
  #submitPrompt(
    executor: Executor,
    tokens: readonly number[],
    sample = false,
  ): Promise<number> | undefined {
    this.#writePosition(this.#cached.length);
    this.#values.set(this.decoder.sequenceLength, tokens.length);
    const buffer = this.#buffers.tensor(this.decoder.tokens);
    this.#gpu.queue.writeBuffer(buffer, 0, new Int32Array(tokens));
    return this.#submit(executor, "prefill", { tokens: tokens.length, sample })[0];
  }

  #submitFirstStep(executor: Executor, token: number): Promise<number> | undefined {
    this.#writePosition(this.#cached.length);
    const buffer = this.#buffers.tensor(this.plans.state.token);
    this.#gpu.queue.writeBuffer(buffer, 0, new Int32Array([token]));
    return this.#submit(executor, "prefill")[0];
  }

  /** Runs steps; the GPU advances the position itself, `position` says where it is before them. */
  #submitSteps(executor: Executor, position: number, steps: number): Promise<number>[] {
    this.#values.set(this.decoder.position, position);
    return this.#submit(executor, "decode", { runs: steps });
  }

  /** Submits runs of a plan: the tokens they end in, if those are read back. */
  #submit(
    executor: Executor,
    phase: ProfiledWork["phase"],
    { tokens = 1, sample = true, runs = 1 }: Submission = {},
  ): Promise<number>[] {
    this.#assertUsable();
    const began = this.#onSubmit === undefined ? 0 : performance.now();
    const position = this.#values.get(this.decoder.position);
    const encoder = this.#gpu.device.createCommandEncoder({ label: executor.plan.name });
    const readbacks: Readback[] = [];
    let times: TimestampReadback | undefined;
    for (let run = 0; run < runs; run++) {
      this.#values.set(this.decoder.position, position + run * tokens);
      times = this.#encode(encoder, executor);
      if (!sample) continue;
      const token = this.#buffers.tensor(this.plans.state.token);
      readbacks.push(this.#tokens.copy(encoder, token, 0, 4));
    }
    this.#gpu.queue.submit([encoder.finish()]);
    const work = { phase, position, tokens: runs * tokens };
    this.#onSubmit?.({ ...work, cpuMs: performance.now() - began });
    if (times !== undefined) this.#profiler?.submitted(work, times);
    return readbacks.map((readback) => {
      const token = readback.read().then((bytes) => new Int32Array(bytes)[0]!);
      // Awaited in order; a failure meanwhile must not count as unhandled.
      token.catch(() => {});
      return token;
    });
  }

  /** Encodes a run for the values as they are, with timestamps if somebody takes them. */
  #encode(encoder: GPUCommandEncoder, executor: Executor): TimestampReadback | undefined {
    executor.update(this.#values);
    if (this.#profiler !== undefined) {
      return this.#profiler.encode(encoder, executor, this.#values);
    }
    const pass = encoder.beginComputePass({ label: executor.plan.name });
    executor.encode(pass);
    pass.end();
    return undefined;
  }

  /** The logits of the last run, f32 [V]: for tests and evaluation. */
  async readLogits(): Promise<Float32Array> {
    const bytes = 4 * this.decoder.vocabularySize;
    const ring = new ReadbackRing(this.#gpu, "logits", bytes);
    try {
      const encoder = this.#gpu.device.createCommandEncoder({ label: "read logits" });
      const buffer = this.#buffers.tensor(this.plans.logits);
      const readback = ring.copy(encoder, buffer, 0, bytes);
      this.#gpu.queue.submit([encoder.finish()]);
      return new Float32Array(await readback.read());
    } finally {
      ring.dispose();
    }
  }

  /** Frees everything on the GPU. A running generation fails. */
  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    const executors = await Promise.allSettled(this.#executors.values());
    if (this.#gpu.lost === undefined) {
      await this.#gpu.idle().catch((error: unknown) => {
        if (!(error instanceof DeviceError)) throw error;
      });
    }
    for (const executor of executors) {
      if (executor.status === "fulfilled") executor.value.dispose();
    }
    this.#tokens.dispose();
    this.#buffers.dispose();
    this.#constants.dispose();
  }
}

/** The sampler's settings as it reads them. Throws `RequestError` for values out of range. */
function samplingWords(options: SamplingOptions = {}): Uint32Array<ArrayBuffer> {
  const { temperature = 0, seed = Math.floor(Math.random() * 2 ** 32) } = options;
  return encodeSampling({ ...options, temperature, seed });
}

/**
 * How much of `prompt` the cache already holds. At least the last token is always run again,
 * because its logits are wanted.
 */
function commonPrefix(cached: readonly number[], prompt: readonly number[]): number {
  let length = 0;
  const most = Math.min(cached.length, prompt.length - 1);
  while (length < most && cached[length] === prompt[length]) length += 1;
  return length;
}
