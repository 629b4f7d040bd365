import { RequestError } from "../errors.ts";
import { AddedTokenSplitter } from "./added-tokens.ts";
import type { AddedToken, Section } from "./added-tokens.ts";
import type { TokenModel } from "./models.ts";
import { StreamingDetokenizer } from "./streaming-detokenizer.ts";
import type { Splitter } from "./split.ts";
import { isSpecialKind } from "./token-table.ts";
import type { TokenTable } from "./token-table.ts";

/** What a file format hands over to make a tokenizer. */
export interface TokenizerParts {
  readonly table: TokenTable;
  /** The bytes a token stands for. */
  readonly bytesOf: (id: number) => Uint8Array;
  /** Added tokens found in the text as written, and in the text once normalised. */
  readonly added: readonly AddedToken[];
  readonly addedNormalized: readonly AddedToken[];
  /** Normalises one section; `first` where it begins the text. */
  readonly normalize: (text: string, first: boolean) => string;
  readonly split: Splitter;
  readonly model: TokenModel;
  /** Tokens that `addSpecial` puts around the text. */
  readonly prefix: readonly number[];
  readonly suffix: readonly number[];
  readonly bosId: number | undefined;
  readonly eosId: number | undefined;
  readonly endIds: ReadonlySet<number>;
  readonly chatTemplate: string | undefined;
  /** Encoding put a space before the text, which decoding takes away. */
  readonly stripsLeadingSpace: boolean;
}

export interface EncodeOptions {
  /** Puts BOS before and EOS after the text where the model wants them. Default: true. */
  readonly addSpecial?: boolean;
  /**
   * Turns the text of special tokens (`<|eot_id|>`) into those tokens. Default: false, so that text
   * from a user stays text. Set it for the output of a chat template.
   */
  readonly parseSpecial?: boolean;
  /**
   * A character that is taken out of the text once special tokens were looked for: text that has it
   * inside `<|eot_id|>` does not become that token.
   */
  readonly guard?: string;
}

export interface DecodeOptions {
  /** Leaves control tokens out. Default: false. */
  readonly skipSpecial?: boolean;
}

const LONE_SURROGATE = /\p{Surrogate}/gu;

/** Turns text into token ids and back. */
export class Tokenizer {
  readonly vocabularySize: number;
  readonly bosId: number | undefined;
  readonly eosId: number | undefined;
  /** Every id that ends a turn or the text. */
  readonly endIds: ReadonlySet<number>;
  /** The model's own chat template, in Jinja. */
  readonly chatTemplate: string | undefined;
  /** Encoding put a space before the text, which decoding takes away. */
  readonly stripsLeadingSpace: boolean;
  readonly #parts: TokenizerParts;
  /** Made when first asked for: a quarter of a million entries that encoding does not need. */
  #ids: Map<string, number> | undefined;
  /** By what is looked for: [as written, once normalised]. */
  readonly #withSpecial: readonly [AddedTokenSplitter, AddedTokenSplitter];
  readonly #withoutSpecial: readonly [AddedTokenSplitter, AddedTokenSplitter];

  constructor(parts: TokenizerParts) {
    this.#parts = parts;
    this.vocabularySize = parts.table.texts.length;
    this.bosId = parts.bosId;
    this.eosId = parts.eosId;
    this.endIds = parts.endIds;
    this.chatTemplate = parts.chatTemplate;
    this.stripsLeadingSpace = parts.stripsLeadingSpace;
    const ordinary = (tokens: readonly AddedToken[]): AddedToken[] =>
      tokens.filter(({ id }) => !this.isSpecial(id));
    const splitters = (
      written: readonly AddedToken[],
      normalized: readonly AddedToken[],
    ): [AddedTokenSplitter, AddedTokenSplitter] => [
      new AddedTokenSplitter(written),
      new AddedTokenSplitter(normalized),
    ];
    this.#withSpecial = splitters(parts.added, parts.addedNormalized);
    this.#withoutSpecial = splitters(ordinary(parts.added), ordinary(parts.addedNormalized));
  }

  /** The same tokenizer, with more ids that end a text: those a model names itself. */
  withEndIds(ids: readonly number[]): Tokenizer {
    if (ids.every((id) => this.endIds.has(id))) return this;
    return new Tokenizer({ ...this.#parts, endIds: new Set([...this.endIds, ...ids]) });
  }

  /** Token ids of `text`. Lone surrogates count as U+FFFD. */
  encode(text: string, options: EncodeOptions = {}): number[] {
    const { addSpecial = true, parseSpecial = false, guard } = options;
    const [written, normalized] = parseSpecial ? this.#withSpecial : this.#withoutSpecial;
    const ids: number[] = addSpecial ? [...this.#parts.prefix] : [];
    written.split(text.replace(LONE_SURROGATE, "\ufffd")).forEach((section, index) => {
      if (typeof section !== "string") ids.push(section.id);
      else this.#encodeRun(section, index === 0, normalized, guard, ids);
    });
    if (addSpecial) ids.push(...this.#parts.suffix);
    return ids;
  }

  #encodeRun(
    run: string,
    first: boolean,
    splitter: AddedTokenSplitter,
    guard: string | undefined,
    ids: number[],
  ): void {
    const { normalize, split, model } = this.#parts;
    const unguarded = (text: string): string =>
      guard === undefined ? text : text.replaceAll(guard, "");
    // Where normalised text is searched too, the guard stays in until that is done.
    const sections: Section[] = splitter.split(
      normalize(splitter.isEmpty ? unguarded(run) : run, first),
    );
    sections.forEach((section, index) => {
      if (typeof section !== "string") ids.push(section.id);
      else
        for (const piece of split(unguarded(section), first && index === 0))
          model.encode(piece, ids);
    });
  }

  /** The text of `ids`; invalid UTF-8 becomes U+FFFD. Throws `RequestError` for unknown ids. */
  decode(ids: Iterable<number>, options: DecodeOptions = {}): string {
    const detokenizer = new StreamingDetokenizer(this, options);
    let text = "";
    for (const id of ids) text += detokenizer.push(id);
    return text + detokenizer.flush();
  }

  /** The bytes that a token stands for: part of a character, perhaps. The caller must not write. */
  tokenBytes(id: number): Uint8Array {
    this.#check(id);
    return this.#parts.bytesOf(id);
  }

  /** Whether a token is a control token: no text, but a mark of the model's. */
  isSpecial(id: number): boolean {
    return isSpecialKind(this.#parts.table.kinds[id]);
  }

  /** The token with exactly this text in the vocabulary (as written there, `Ġthe`). */
  idOf(text: string): number | undefined {
    this.#ids ??= this.#readIds();
    return this.#ids.get(text);
  }

  #readIds(): Map<string, number> {
    const ids = new Map<string, number>();
    this.#parts.table.texts.forEach((text, id) => {
      // A special token's text is its own; of other equal texts the first counts.
      if (!ids.has(text) || this.isSpecial(id)) ids.set(text, id);
    });
    return ids;
  }

  /** A token's text in the vocabulary. */
  textOf(id: number): string {
    this.#check(id);
    return this.#parts.table.texts[id]!;
  }

  /** Texts of the control tokens: what `parseSpecial` looks for. */
  *specialTexts(): Generator<string> {
    for (const token of [...this.#parts.added, ...this.#parts.addedNormalized])
      if (this.isSpecial(token.id)) yield token.text;
  }

  #check(id: number): void {
    if (!Number.isInteger(id) || id < 0 || id >= this.vocabularySize)
      throw new RequestError(
        `tokenizer: ${id} is not a token id; ids are integers below ${this.vocabularySize}`,
      );
  }
}
