import type { GeneratedPiece, Generation, GenerationResult, StopReason } from "../api.ts";
import { StopMatcher } from "../text/stop-matcher.ts";
import { StreamingDetokenizer } from "../text/streaming-detokenizer.ts";
import type { Tokenizer } from "../text/tokenizer.ts";

/** What a text generation is made of. */
export interface GenerationParts {
  readonly tokenizer: Tokenizer;
  readonly promptTokens: number;
  /** Most tokens, and whether the context's end is what limits them. */
  readonly maxTokens: number;
  readonly limitedByContext: boolean;
  readonly stop: readonly string[];
  /** Starts the token loop. */
  readonly decode: () => AsyncIterable<number>;
}

/** Measured while tokens arrive. */
interface Progress {
  readonly started: number;
  firstTokenAt: number;
  lastTokenAt: number;
  readonly tokens: number[];
  text: string;
}

/**
 * Turns a token loop into text: decodes, watches for stop strings and end tokens, and keeps the
 * figures. Iterating it drives the loop, and so does asking for `result` alone.
 */
export class TextGeneration implements Generation {
  readonly #parts: GenerationParts;
  readonly #result: Promise<GenerationResult>;
  #settle!: { resolve: (result: GenerationResult) => void; reject: (reason: unknown) => void };
  #started = false;

  constructor(parts: GenerationParts) {
    this.#parts = parts;
    this.#result = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    // Whoever iterates sees a failure there; nobody is forced to look at `result` as well.
    this.#result.catch(() => {});
  }

  get result(): Promise<GenerationResult> {
    if (!this.#started) void this.#drain();
    return this.#result;
  }

  async #drain(): Promise<void> {
    try {
      for await (const piece of this) void piece;
    } catch {
      // `result` carries it.
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<GeneratedPiece, void, void> {
    if (this.#started) throw new Error("a generation can be iterated once");
    this.#started = true;
    const progress: Progress = {
      started: performance.now(),
      firstTokenAt: 0,
      lastTokenAt: 0,
      tokens: [],
      text: "",
    };
    let reason: StopReason | undefined;
    try {
      reason = yield* this.#pieces(progress);
    } catch (error) {
      this.#settle.reject(error);
      throw error;
    } finally {
      // A caller who stops iterating has a result too: what there was.
      this.#settle.resolve(this.#summarize(progress, reason ?? "length"));
    }
  }

  async *#pieces(progress: Progress): AsyncGenerator<GeneratedPiece, StopReason, void> {
    const { tokenizer, maxTokens, limitedByContext, stop, decode } = this.#parts;
    const detokenizer = new StreamingDetokenizer(tokenizer, { skipSpecial: true, continues: true });
    const matcher = new StopMatcher(stop);
    const release = (text: string, token: number | undefined): GeneratedPiece => {
      progress.text += text;
      return { text, token };
    };
    for await (const token of decode()) {
      progress.lastTokenAt = performance.now();
      if (progress.tokens.length === 0) progress.firstTokenAt = progress.lastTokenAt;
      progress.tokens.push(token);
      if (tokenizer.endIds.has(token)) {
        const rest = matcher.push(detokenizer.flush()).text + matcher.flush().text;
        yield release(rest, token);
        return "end";
      }
      const { text, stop: found } = matcher.push(detokenizer.push(token));
      yield release(text, token);
      if (found !== undefined) return "stop";
    }
    const { text, stop: found } = matcher.push(detokenizer.flush());
    const rest = found === undefined ? text + matcher.flush().text : text;
    if (rest !== "") yield release(rest, undefined);
    if (found !== undefined) return "stop";
    return limitedByContext && progress.tokens.length >= maxTokens ? "context" : "length";
  }

  #summarize(progress: Progress, stopReason: StopReason): GenerationResult {
    const { tokens, text, started, firstTokenAt, lastTokenAt } = progress;
    const decodeMs = lastTokenAt - firstTokenAt;
    return {
      text,
      tokens,
      stopReason,
      promptTokens: this.#parts.promptTokens,
      timeToFirstTokenMs: tokens.length === 0 ? 0 : firstTokenAt - started,
      decodeMs,
      tokensPerSecond: tokens.length > 1 ? ((tokens.length - 1) * 1000) / decodeMs : 0,
    };
  }
}
