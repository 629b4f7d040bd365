import type { ChatMessage, GenerateOptions, Generation, ModelInfo, ProfileResult } from "./api.ts";
import { RequestError } from "./errors.ts";
import type { DecoderSession } from "./generate/decoder-session.ts";
import { TextGeneration } from "./generate/generation.ts";
import type { Profiler } from "./generate/profiler.ts";
import { runsOf, summarizeKernels } from "./profile/profile.ts";
import type { ProfilePhase } from "./profile/profile.ts";
import { chatTemplateFor, encodeChat } from "./text/chat-template.ts";
import type { ChatTemplate } from "./text/chat-template.ts";
import type { Tokenizer } from "./text/tokenizer.ts";

const NO_TIMESTAMPS =
  "profile: the device has no timestamp queries (timestamp-query): no times were taken";

/** How the token loop of a profile differs. */
interface ProfiledDecoding {
  readonly reuseCache?: boolean;
  readonly profiler?: Profiler | undefined;
}

/** A model on the GPU, ready to generate. One generation at a time. */
export class Model {
  readonly info: ModelInfo;
  /** What a user may want to know about how it was loaded. */
  readonly warnings: readonly string[];
  readonly tokenizer: Tokenizer;
  /** The token loop below the text: for evaluation and benchmarks. */
  readonly session: DecoderSession;
  #template: ChatTemplate | undefined;
  readonly #onDispose: (model: Model) => void;

  /** Made by `Tetrad.load`. */
  constructor(
    info: ModelInfo,
    warnings: readonly string[],
    tokenizer: Tokenizer,
    session: DecoderSession,
    onDispose: (model: Model) => void,
  ) {
    this.info = info;
    this.warnings = warnings;
    this.tokenizer = tokenizer;
    this.session = session;
    this.#onDispose = onDispose;
  }

  /**
   * Continues a text or token ids. Throws `RequestError` for options out of range; what goes wrong
   * later rejects the iteration, and the model can be used again.
   */
  generate(prompt: string | readonly number[], options: GenerateOptions = {}): Generation {
    return this.#generate(this.#encode(prompt, options), options);
  }

  /**
   * Generates as {@link generate} does and takes the GPU's time of every dispatch. The prompt is
   * computed from scratch. Slower than a generation, because nothing overlaps; the tokens are the
   * same. Kernels' first runs are slow with some drivers: generate before for lasting figures. Without timestamps on the device the result says so and has no runs. Rejects as the
   * iteration of a generation does.
   */
  async profile(
    prompt: string | readonly number[],
    options: GenerateOptions = {},
  ): Promise<ProfileResult> {
    const profiler = this.session.createProfiler();
    try {
      const profiled = { reuseCache: false, profiler };
      const tokens = this.#encode(prompt, options);
      const generation = await this.#generate(tokens, options, profiled).result;
      const runs = (await profiler?.finish()) ?? [];
      const kernels = (phase: ProfilePhase) =>
        summarizeKernels(runsOf(runs, phase).flatMap(({ records }) => records));
      return {
        generation,
        timestamps: profiler !== undefined,
        warnings: profiler === undefined ? [NO_TIMESTAMPS] : [],
        runs,
        kernels: { prefill: kernels("prefill"), decode: kernels("decode") },
      };
    } finally {
      profiler?.dispose();
    }
  }

  #encode(prompt: string | readonly number[], options: GenerateOptions): readonly number[] {
    if (typeof prompt !== "string") return prompt;
    return this.tokenizer.encode(prompt, { parseSpecial: options.parseSpecial ?? false });
  }

  /**
   * Answers a conversation through the model's chat template. Special tokens in the messages' text
   * stay text. Throws `RequestError` where the model has no template.
   */
  chat(messages: readonly ChatMessage[], options: GenerateOptions = {}): Generation {
    this.#template ??= chatTemplateFor(this.tokenizer);
    // A copy, because templates see an object with any fields.
    const turns = messages.map((message) => ({ ...message }));
    return this.#generate(encodeChat(this.tokenizer, this.#template, turns), options);
  }

  #generate(
    prompt: readonly number[],
    options: GenerateOptions,
    { reuseCache = true, profiler }: ProfiledDecoding = {},
  ): Generation {
    const { contextLength } = this.info;
    if (prompt.length > contextLength) {
      throw new RequestError(
        `generate: the prompt has ${prompt.length} tokens; the context holds ${contextLength}`,
      );
    }
    const room = contextLength - prompt.length + 1;
    const { maxTokens = room, stop = [], signal } = options;
    return new TextGeneration({
      tokenizer: this.tokenizer,
      promptTokens: prompt.length,
      maxTokens: Math.min(maxTokens, room),
      limitedByContext: maxTokens >= room,
      stop: typeof stop === "string" ? [stop] : stop,
      decode: () =>
        this.session.decode({
          prompt,
          sampling: options,
          maxTokens,
          reuseCache,
          ...(profiler === undefined ? {} : { profiler }),
          ...(signal === undefined ? {} : { signal }),
        }),
    });
  }

  /** Token ids of a text, with the tokens a model wants around it unless told otherwise. */
  tokenize(
    text: string,
    options: { readonly addSpecial?: boolean; readonly parseSpecial?: boolean } = {},
  ): number[] {
    return this.tokenizer.encode(text, options);
  }

  /** The text of token ids. */
  detokenize(ids: readonly number[]): string {
    return this.tokenizer.decode(ids, { skipSpecial: true });
  }

  /** Frees the GPU memory. */
  async dispose(): Promise<void> {
    this.#onDispose(this);
    await this.session.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}
