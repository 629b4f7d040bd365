/** What a detokenizer needs to know of a tokenizer. */
export interface TokenBytes {
  readonly stripsLeadingSpace: boolean;
  tokenBytes(id: number): Uint8Array;
  isSpecial(id: number): boolean;
}

export interface DetokenizerOptions {
  /** Leaves control tokens out. Default: false. */
  readonly skipSpecial?: boolean;
  /**
   * The tokens carry on from text that was already decoded, so that a leading space is a space.
   * Default: false; only vocabularies that put a space before every text (SentencePiece) care.
   */
  readonly continues?: boolean;
}

const SPACE = 0x20;

/**
 * Turns tokens into text one by one. A character whose bytes are spread over tokens comes out with
 * its last byte; bytes that are no UTF-8 come out as U+FFFD.
 */
export class StreamingDetokenizer {
  readonly #tokens: TokenBytes;
  readonly #skipSpecial: boolean;
  #atStart: boolean;
  #decoder = newDecoder();

  constructor(tokens: TokenBytes, options: DetokenizerOptions = {}) {
    this.#tokens = tokens;
    this.#skipSpecial = options.skipSpecial ?? false;
    this.#atStart = tokens.stripsLeadingSpace && !(options.continues ?? false);
  }

  /** The text that `id` completes; possibly empty. Throws `RequestError` for unknown ids. */
  push(id: number): string {
    let bytes = this.#tokens.tokenBytes(id);
    if (this.#tokens.isSpecial(id)) {
      return this.#skipSpecial ? "" : this.flush() + newDecoder().decode(bytes);
    }
    if (this.#atStart && bytes.length > 0) {
      this.#atStart = false;
      if (bytes[0] === SPACE) bytes = bytes.subarray(1);
    }
    return this.#decoder.decode(bytes, { stream: true });
  }

  /** Ends the text: an unfinished character comes out as U+FFFD. */
  flush(): string {
    const rest = this.#decoder.decode();
    this.#decoder = newDecoder();
    return rest;
  }
}

/** A decoder that keeps U+FEFF, which is a token like others. */
function newDecoder(): TextDecoder {
  return new TextDecoder("utf-8", { ignoreBOM: true });
}
