/** What a benchmark found, as `--json` writes it: see docs/benchmarking.md. */
import type { SamplingOptions, TunedCall } from "../api.ts";
import type { Capabilities } from "../gpu/capabilities.ts";
import type { ArithmeticCeiling } from "./ceilings/arithmetic.ts";
import type { BandwidthCeiling } from "./ceilings/bandwidth.ts";
import type { Check } from "./checks.ts";
import type { ProductResult } from "./products.ts";
import type { Bound, KernelRoofline } from "./roofline.ts";
import type { Measurement } from "./statistics.ts";

/** Raised when a field changes its meaning or goes. */
export const REPORT_VERSION = 1;

export interface BenchModel {
  readonly name: string;
  readonly architecture: string;
  readonly parameters: number;
  readonly randomWeights: boolean;
  readonly weightBytes: number;
  /** Caches and intermediate results. */
  readonly workingBytes: number;
  readonly contextLength: number;
  readonly cacheType: "f16" | "f32";
  /** Tokens of the prompt that are computed together. */
  readonly promptChunk: number;
}

/** From nothing but a device to the first token: milliseconds by the wall clock. */
export interface ColdStart {
  /** Reading metadata, planning, streaming weights, compiling. */
  readonly loadMs: number;
  /** The first prompt of all, whose kernels the driver may still be compiling. */
  readonly firstTokenMs: number;
  readonly promptTokens: number;
  /** Most memory of the process while loading, over what it had before; where that can be told. */
  readonly peakBytes?: number;
}

export interface PrefillResult {
  readonly promptTokens: number;
  readonly firstTokenMs: Measurement;
  readonly tokensPerSecond: Measurement;
  /** Of the whole prompt. */
  readonly dispatches: number;
  readonly bytes: number;
  readonly operations: number;
  /** What the device's ceilings allow of such a prompt, and why no more. */
  readonly bound: Bound;
  readonly boundTokensPerSecond: number;
  readonly kernels: readonly KernelRoofline[];
}

export interface DecodeResult {
  readonly context: number;
  readonly tokens: number;
  readonly tokensPerSecond: Measurement;
  /** The CPU's and the GPU's time of a token. */
  readonly cpuMs: Measurement;
  readonly gpuMs: Measurement | undefined;
  /** Of a token. */
  readonly dispatches: number;
  readonly bytes: number;
  readonly operations: number;
  /** What the device's ceilings allow of such tokens, and why no more. */
  readonly bound: Bound;
  readonly boundTokensPerSecond: number;
  readonly firstTokens: readonly number[];
  readonly kernels: readonly KernelRoofline[];
}

export interface BenchReport {
  readonly format: "tetrad-bench";
  readonly version: typeof REPORT_VERSION;
  /** When it began, ISO 8601. */
  readonly date: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly device: {
    readonly name: string;
    readonly capabilities: Capabilities;
    readonly dawnFeatures: readonly string[];
  };
  readonly model: BenchModel;
  readonly method: {
    readonly runs: number;
    readonly warmUps: number;
    readonly tokens: number;
    readonly prefixReuse: false;
    /** How decoded tokens were chosen; absent where greedily. */
    readonly sampling?: SamplingOptions;
  };
  readonly ceilings: {
    readonly read: BandwidthCeiling;
    readonly arithmetic: readonly ArithmeticCeiling[];
  };
  /** What the device preferred among kernels; absent where that was not measured. */
  readonly tuning?: { readonly milliseconds: number; readonly calls: readonly TunedCall[] };
  readonly coldStarts: readonly ColdStart[];
  readonly prefill: readonly PrefillResult[];
  readonly decode: readonly DecodeResult[];
  readonly products: readonly (ProductResult & {
    readonly bound: Bound;
    readonly ofBound: number;
  })[];
  readonly checks: readonly Check[];
  readonly warnings: readonly string[];
}
