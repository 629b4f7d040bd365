/** What a benchmark is asked for, and what it is given to do it with. */
import type { SamplingOptions } from "../api.ts";
import { RequestError } from "../errors.ts";
import type { GpuDevice } from "../gpu/device.ts";
import type { DecoderGraph, DecoderOptions } from "../graph/decoder-graph.ts";

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
  /** How they are chosen, with a seed; greedily if absent. */
  readonly sampling?: SamplingOptions;
  /** Repeats that count, and requests before them. */
  readonly runs: number;
  readonly warmUps: number;
  readonly coldRuns: number;
  /** Times of single kernels and products. */
  readonly kernels: boolean;
  /** Contexts up to this are compared with plain f32; 0 for none. */
  readonly checkUpTo: number;
  readonly cacheType: "f16" | "f32";
  /** Let the device choose among kernels; by default as a load does, on GPUs. */
  readonly tune?: boolean;
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

/** Where the context is counted in steps of the cache that kernels read at once. */
const CONTEXT_MULTIPLE = 64;

/** Positions of the cache. Throws `RequestError` where the model has fewer. */
export function contextLengthFor(options: BenchOptions, subject: BenchSubject): number {
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
