/** The types of the public interface: what a user passes in and gets back. */
import type { ByteSource } from "./byte-source.ts";
import type { CapabilityOverrides } from "./gpu/capabilities.ts";
import type { KernelSummary, ProfiledRun, ProfilePhase } from "./profile/profile.ts";
import type { TuningStore } from "./tuning-store.ts";

/** How a runtime finds its GPU. */
export interface TetradOptions {
  /** A device the caller made and keeps owning; otherwise one is requested. */
  readonly device?: GPUDevice;
  /** Fail where there is no hardware adapter, instead of computing on the CPU (Node). */
  readonly requireGpu?: boolean;
  /** Use the software adapter whatever else there is (Node). */
  readonly forceSoftware?: boolean;
  readonly powerPreference?: GPUPowerPreference;
  /** Told, in one line each, what the caller may want to know: a fallback, a requantised weight. */
  readonly onWarning?: (message: string) => void;
  /** Capabilities to leave unused although the device has them, to hunt a driver's bug. */
  readonly restrict?: CapabilityOverrides;
  /** Dawn toggles for measurements in Node: `disable_robustness`. */
  readonly dawnFeatures?: readonly string[];
  /**
   * Where choices among kernels are kept from one run to the next; `false` for nowhere. Default: a
   * file in the user's cache folder (Node), IndexedDB (browser).
   */
  readonly tuningStore?: TuningStore | false;
}

/** Where a model may come from: a path (Node), a URL, or the bytes themselves. */
export type ModelLocation =
  string | URL | ArrayBuffer | Uint8Array | Blob | ReadableStream<Uint8Array> | ByteSource;

/** One report while a model loads; `loaded` and `total` are bytes. */
export interface LoadProgress {
  /**
   * `open` while metadata is read, `tune` while kernels are measured that this device has not run
   * yet, `weights` while they stream to the GPU, then `compile`, `ready`.
   */
  readonly status: "open" | "tune" | "weights" | "compile" | "ready";
  readonly file: string;
  readonly loaded: number;
  readonly total: number;
}

export interface LoadOptions {
  /** Positions the KV cache holds: prompt and answer together. Default: the model's, at most 4,096. */
  readonly contextLength?: number;
  /** Element type of the KV cache. Default `f16`. */
  readonly cacheType?: "f32" | "f16";
  readonly onProgress?: (progress: LoadProgress) => void;
  readonly signal?: AbortSignal;
  /** A Hugging Face `tokenizer.json` or a GGUF file with a tokenizer, for files that carry none. */
  readonly tokenizer?: ModelLocation;
  /**
   * Run the kernels that are fastest on this device for the model's shapes. What is not known yet is
   * measured, for 3 seconds at most. Default: true on GPUs, false where the CPU computes.
   */
  readonly tune?: boolean;
  /**
   * "fast" lets a tuned device choose kernels that compute decoded tokens in half precision, where it
   * has that: errors of 1e-3 of a result's typical size instead of 1e-5. Default "exact".
   */
  readonly precision?: "exact" | "fast";
}

/** How a model's kernels are measured. */
export interface TuneOptions extends Pick<
  LoadOptions,
  "contextLength" | "cacheType" | "signal" | "tokenizer" | "precision"
> {
  /** Most milliseconds to spend. Default 10,000. */
  readonly budgetMs?: number;
  /** Told before each kind of call is measured. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** What was measured about one kind of call. Times are microseconds a call. */
export interface TunedCall {
  /** Operator and shape. */
  readonly key: string;
  /** How many ways there are to run it. */
  readonly candidates: number;
  readonly default: string;
  readonly defaultUs: number | undefined;
  /** The way it will run; undefined where time was up. */
  readonly choice: string | undefined;
  readonly choiceUs: number | undefined;
}

export interface TuneResult {
  readonly calls: readonly TunedCall[];
  /** Ways that do not compile or compute something else, in one line each. */
  readonly warnings: readonly string[];
}

/** How an ExecuTorch program is loaded to be run method by method. */
export interface LoadProgramOptions {
  /** `.ptd` files with constants that the program does not hold. */
  readonly data?: readonly ModelLocation[];
  /** Methods to load; all by default. */
  readonly methods?: readonly string[];
  readonly signal?: AbortSignal;
}

/** How the next token is chosen. Filters apply in this order. */
export interface SamplingOptions {
  /** Divides the logits of tokens already in the context; 1 is off. Default 1. */
  readonly repetitionPenalty?: number;
  /** 0 always takes the most likely token. Default 0. */
  readonly temperature?: number;
  /** Keep the k most likely tokens; 0 is off. Default 0. */
  readonly topK?: number;
  /** Keep the fewest most likely tokens whose probability reaches this; 1 is off. Default 1. */
  readonly topP?: number;
  /** Keep tokens at least this fraction as likely as the likeliest; 0 is off. Default 0. */
  readonly minP?: number;
  /** Makes a sampled text repeatable. Default: a random one. */
  readonly seed?: number;
}

export interface GenerateOptions extends SamplingOptions {
  /** Stop after this many tokens. Default: to the end of the context. */
  readonly maxTokens?: number;
  /** Text that ends the answer and is not part of it. */
  readonly stop?: string | readonly string[];
  readonly signal?: AbortSignal;
  /** Read special tokens such as `<|eot_id|>` in the prompt as tokens. Default false. */
  readonly parseSpecial?: boolean;
}

/** One step of a generation. `text` may be empty while a character or a stop string is incomplete. */
export interface GeneratedPiece {
  readonly text: string;
  /** The token's id, or undefined for text that was held back and is released at the end. */
  readonly token: number | undefined;
}

/** Why a generation ended. */
export type StopReason = "end" | "stop" | "length" | "context";

/** What a finished generation was. Times are wall-clock milliseconds. */
export interface GenerationResult {
  readonly text: string;
  readonly tokens: readonly number[];
  readonly stopReason: StopReason;
  readonly promptTokens: number;
  /** From the call to the first token. */
  readonly timeToFirstTokenMs: number;
  /** From the first token to the last. */
  readonly decodeMs: number;
  /** Tokens after the first, a second. 0 where there was only one. */
  readonly tokensPerSecond: number;
}

/** The pieces of a text as they come; `result` settles when the iteration has ended. */
export interface Generation extends AsyncIterable<GeneratedPiece> {
  readonly result: Promise<GenerationResult>;
}

/** Where the GPU's time went in a generation. */
export interface ProfileResult {
  readonly generation: GenerationResult;
  /** Whether the device has timestamps; without them there are no runs. */
  readonly timestamps: boolean;
  /** What a user should know, in one line each: that no times could be taken. */
  readonly warnings: readonly string[];
  /**
   * The prompt's chunks, then the steps, with a record per dispatch. Steps are queued ahead, so
   * there may be more of them than tokens after the first.
   */
  readonly runs: readonly ProfiledRun[];
  /** Time by kernel, the longest first. */
  readonly kernels: Readonly<Record<ProfilePhase, readonly KernelSummary[]>>;
}

/** A turn of a conversation. */
export interface ChatMessage {
  readonly role: "system" | "user" | "assistant" | "tool" | (string & {});
  readonly content: string;
}

/** What a loaded model is. Sizes are bytes. */
export interface ModelInfo {
  readonly name: string;
  readonly architecture: string;
  readonly contextLength: number;
  readonly vocabularySize: number;
  readonly parameters: number;
  readonly weightBytes: number;
  readonly cacheBytes: number;
}
