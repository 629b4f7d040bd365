import { DeviceError } from "../errors.ts";
import type { GpuDevice } from "../gpu/device.ts";
import { PipelineCache } from "../gpu/pipeline-cache.ts";
import type { TunableCall } from "../graph/tuning.ts";
import { judge } from "./agreement.ts";
import type { CandidateOutput, Rejection } from "./agreement.ts";
import { OutputReader } from "./candidate-outputs.ts";
import type { Deadline } from "./deadline.ts";
import { OperandBuffers } from "./operand-buffers.ts";
import { compileCandidate, PreparedCandidate } from "./prepared-candidate.ts";
import type { CompiledCandidate } from "./prepared-candidate.ts";
import { timeInRounds } from "./rounds.ts";
import { choose, score } from "./selection.ts";
import { createStopwatch } from "./stopwatch.ts";
import type { GpuStopwatch } from "./stopwatch.ts";

/** Of the time that is left, for compiling one call's candidates, so many at a time. */
const COMPILE_PART = 0.5;
const COMPILED_TOGETHER = 8;

/** What was found out about one call. */
export interface CallResult {
  readonly key: string;
  readonly defaultName: string;
  /** Undefined where time was up before there were grounds for a choice. */
  readonly choice: string | undefined;
  /** Nanoseconds a call, of the candidates that were timed to the end. */
  readonly timesNs: ReadonlyMap<string, number>;
  /** How many candidates there are. */
  readonly candidates: number;
  /** Candidates that do not compile or compute something else, in one line each. */
  readonly warnings: readonly string[];
}

/** Times the candidates of one call on the device. Rejects with `DeviceError`. */
export async function tuneCall(
  gpu: GpuDevice,
  call: TunableCall,
  deadline: Deadline,
): Promise<CallResult> {
  const { tunable } = call;
  const { key, candidates, trials } = tunable;
  const defaultName = candidates[0].name;
  const warnings: string[] = [];
  const compiled = await compileAll(gpu, call, deadline.part(COMPILE_PART), warnings);
  const bench = new Bench(gpu, call, compiled);
  try {
    const sound = await bench.check(deadline, warnings);
    const times =
      sound.length === 0
        ? undefined
        : await timeInRounds(bench.stopwatch, sound, trials.length, defaultName, deadline);
    return {
      key,
      defaultName,
      choice: times === undefined ? undefined : choose(times, defaultName),
      timesNs: new Map(times?.map((candidate) => [candidate.name, score(candidate)])),
      candidates: candidates.length,
      warnings,
    };
  } finally {
    bench.dispose();
  }
}

/** Compiles as many candidates as there is time for; those that do not compile are told. */
async function compileAll(
  gpu: GpuDevice,
  { tunable: { key, candidates } }: TunableCall,
  deadline: Deadline,
  warnings: string[],
): Promise<CompiledCandidate[]> {
  // Pipelines that are not chosen go with their cache.
  const pipelines = new PipelineCache(gpu.device, gpu.capabilities.limits.maxImmediateSize);
  const compiled: CompiledCandidate[] = [];
  for (let first = 0; first < candidates.length; first += COMPILED_TOGETHER) {
    if (first > 0 && deadline.expired()) break;
    const batch = candidates.slice(first, first + COMPILED_TOGETHER);
    const outcomes = await Promise.allSettled(
      batch.map(({ name, route }) => compileCandidate(pipelines, name, route())),
    );
    gpu.assertUsable();
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.status === "fulfilled") compiled.push(outcome.value);
      else if (!(outcome.reason instanceof DeviceError)) throw outcome.reason;
      else {
        const { message } = outcome.reason;
        warnings.push(`tune: ${key}: ${batch[index]?.name} is not used: ${message}`);
      }
    }
  }
  return compiled;
}

function describeRejection(
  key: string,
  { name, why, reference }: Rejection,
  defaultName: string,
): string {
  return name === defaultName
    ? `tune: ${key}: THE DEFAULT KERNEL IS WRONG ON THIS DEVICE: ${name}: ${why}, going by ` +
        `${reference}, which runs instead. Please report it with the output of "tetrad devices"`
    : `tune: ${key}: ${name} is not used: ${why}, going by ${reference}`;
}

/** The candidates of a call on its operands. */
class Bench {
  readonly stopwatch: GpuStopwatch;
  readonly #gpu: GpuDevice;
  readonly #call: TunableCall;
  readonly #buffers: OperandBuffers;
  readonly #ints: ReadonlyMap<string, GPUBuffer>[] = [];
  readonly #candidates: PreparedCandidate[] = [];
  readonly #reader: OutputReader;

  constructor(gpu: GpuDevice, call: TunableCall, compiled: readonly CompiledCandidate[]) {
    this.#gpu = gpu;
    this.#call = call;
    this.#buffers = new OperandBuffers(gpu, call);
    this.#reader = new OutputReader(gpu, call, this.#buffers);
    this.stopwatch = createStopwatch(gpu);
    try {
      this.#buffers.allocateScratch(compiled.map(({ route }) => route.scratch));
      for (const { ints = {} } of call.tunable.trials) this.#ints.push(this.#createInts(ints));
      for (const candidate of compiled) {
        this.#candidates.push(
          new PreparedCandidate(gpu, candidate, call.tunable, this.#buffers, this.#ints),
        );
      }
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  #createInts(ints: Readonly<Record<string, number>>): ReadonlyMap<string, GPUBuffer> {
    const made = Object.entries(ints).map(([name, value]) => {
      const buffer = this.#gpu.createStorageBuffer(`tune.${name}`, 4);
      this.#gpu.queue.writeBuffer(buffer, 0, Int32Array.of(value));
      return [name, buffer] as const;
    });
    return new Map(made);
  }

  /** Runs every candidate once and returns those that compute the same. */
  async check(deadline: Deadline, warnings: string[]): Promise<PreparedCandidate[]> {
    const { key, candidates, trials, tolerance } = this.#call.tunable;
    const outputs: CandidateOutput[] = [];
    for (const candidate of this.#candidates) {
      const output = await this.#reader.read(candidate, trials.length);
      const own = candidates.find(({ name }) => name === candidate.name)?.tolerance;
      outputs.push({ ...output, tolerance: own });
      if (deadline.expired()) break;
    }
    const { sound, rejections } = judge(outputs, tolerance);
    const defaultName = candidates[0].name;
    warnings.push(...rejections.map((rejection) => describeRejection(key, rejection, defaultName)));
    return this.#candidates.filter(({ name }) => sound.includes(name));
  }

  dispose(): void {
    for (const candidate of this.#candidates) candidate.dispose();
    for (const buffer of this.#ints.flatMap((ints) => [...ints.values()])) {
      this.#gpu.destroyBuffer(buffer);
    }
    this.#reader.dispose();
    this.stopwatch.dispose();
    this.#buffers.dispose();
  }
}
