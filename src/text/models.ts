import { mergeSymbols } from "./merge.ts";
import type { MergeRule } from "./merge.ts";
import { TokenKind, textIds } from "./token-table.ts";
import type { TokenTable } from "./token-table.ts";

/** Turns one piece of normalised, split text into token ids. */
export interface TokenModel {
  encode(piece: string, into: number[]): void;
}

/** Pieces this long or shorter are remembered; 20,000 of them at most, some 5 MB. */
const CACHED_PIECE_LENGTH = 48;
const CACHED_PIECES = 20_000;

/** Remembers what short pieces became: most of a text is words that it already had. */
export function cached(model: TokenModel): TokenModel {
  const known = new Map<string, readonly number[]>();
  return {
    encode(piece, into) {
      let ids = known.get(piece);
      if (ids === undefined) {
        const fresh: number[] = [];
        model.encode(piece, fresh);
        ids = fresh;
        if (known.size >= CACHED_PIECES) known.clear();
        if (piece.length <= CACHED_PIECE_LENGTH) known.set(piece, ids);
      }
      for (const id of ids) into.push(id);
    },
  };
}

/** Byte-level BPE: a piece's UTF-8 bytes, merged by a list. */
export function byteLevelModel(options: {
  readonly ids: ReadonlyMap<string, number>;
  /** The character that stands for each byte, [256]. */
  readonly characters: readonly string[];
  readonly merges: MergeRule;
  /** A piece that is a token is taken whole, though no merges may lead there. */
  readonly wholePieces: boolean;
  /** For bytes without a token; where undefined they vanish, as in the reference implementation. */
  readonly unknownId: number | undefined;
}): TokenModel {
  const { ids, characters, merges, wholePieces, unknownId } = options;
  const byteIds = characters.map((character) => ids.get(character) ?? unknownId);
  const encoder = new TextEncoder();
  return cached({
    encode(piece, into) {
      const bytes = encoder.encode(piece);
      if (wholePieces) {
        let spelled = "";
        for (const byte of bytes) spelled += characters[byte]!;
        const whole = ids.get(spelled);
        if (whole !== undefined) {
          into.push(whole);
          return;
        }
      }
      const symbols: number[] = [];
      for (const byte of bytes) {
        const id = byteIds[byte];
        if (id !== undefined) symbols.push(id);
      }
      for (const id of mergeSymbols(symbols, merges)) into.push(id);
    },
  });
}

/** Spells what has no token: by byte tokens `<0xXX>`, or else as the unknown token. */
export class Fallback {
  readonly #byteIds: readonly (number | undefined)[];
  readonly #unknownId: number | undefined;
  readonly #fuseUnknown: boolean;
  readonly #encoder = new TextEncoder();

  constructor(
    ids: ReadonlyMap<string, number>,
    options: { bytes: boolean; unknownId: number | undefined; fuseUnknown: boolean },
  ) {
    this.#byteIds = Array.from({ length: 256 }, (_, byte) =>
      options.bytes ? ids.get(byteTokenText(byte)) : undefined,
    );
    this.#unknownId = options.unknownId;
    this.#fuseUnknown = options.fuseUnknown;
  }

  encode(character: string, into: number[]): void {
    const ids = Array.from(this.#encoder.encode(character), (byte) => this.#byteIds[byte]);
    if (ids.every((id) => id !== undefined)) {
      for (const id of ids) into.push(id);
    } else if (this.#unknownId !== undefined) {
      if (!this.#fuseUnknown || into.at(-1) !== this.#unknownId) into.push(this.#unknownId);
    }
  }
}

/** The text of a byte's token in SentencePiece vocabularies: `<0x0A>`. */
export function byteTokenText(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
}

/** Character-level BPE, merged by a list: SentencePiece vocabularies in `tokenizer.json`. */
export function characterModel(options: {
  readonly ids: ReadonlyMap<string, number>;
  readonly merges: MergeRule;
  readonly wholePieces: boolean;
  readonly fallback: Fallback;
}): TokenModel {
  const { ids, merges, wholePieces, fallback } = options;
  return {
    encode(piece, into) {
      const whole = wholePieces ? ids.get(piece) : undefined;
      if (whole !== undefined) {
        into.push(whole);
        return;
      }
      const symbols: number[] = [];
      for (const character of piece) {
        const id = ids.get(character);
        if (id === undefined) fallback.encode(character, symbols);
        else symbols.push(id);
      }
      for (const id of mergeSymbols(symbols, merges)) into.push(id);
    },
  };
}

/**
 * SentencePiece BPE: neighbours join where their concatenation is a token, the best score first and
 * the leftmost among equals. Unused tokens take part in merging and are taken apart again.
 */
export function scoredModel(
  table: TokenTable,
  scores: ArrayLike<number>,
  fallback: Fallback,
): TokenModel {
  const ids = textIds(table, (kind) => kind === TokenKind.normal || kind === TokenKind.unused);
  const ranks = scoreRanks(scores);
  return {
    encode(piece, into) {
      const rule = new ScoredRule(table, ids, ranks);
      const symbols = Array.from(piece, (character) => rule.symbolOf(character));
      for (const symbol of mergeSymbols(symbols, rule)) rule.emit(symbol, into, fallback);
    },
  };
}

/** Position of every token's score among the distinct scores, best first. */
function scoreRanks(scores: ArrayLike<number>): Int32Array {
  const distinct = [...new Set(Array.from(scores))].sort((a, b) => b - a);
  const rankOf = new Map(distinct.map((score, rank) => [score, rank]));
  return Int32Array.from(scores, (score) => rankOf.get(score)!);
}

/** The merges of one piece: remembers what unused tokens were made of. */
class ScoredRule implements MergeRule {
  readonly #table: TokenTable;
  readonly #ids: ReadonlyMap<string, number>;
  readonly #ranks: Int32Array;
  /** Characters without a token, as symbols from the vocabulary's size on: they may still merge. */
  readonly #strangers: string[] = [];
  readonly #strangerSymbols = new Map<string, number>();
  readonly #parts = new Map<number, readonly [number, number]>();

  constructor(table: TokenTable, ids: ReadonlyMap<string, number>, ranks: Int32Array) {
    this.#table = table;
    this.#ids = ids;
    this.#ranks = ranks;
  }

  #text(symbol: number): string {
    const size = this.#table.texts.length;
    return symbol < size ? this.#table.texts[symbol]! : this.#strangers[symbol - size]!;
  }

  symbolOf(character: string): number {
    const known = this.#ids.get(character) ?? this.#strangerSymbols.get(character);
    if (known !== undefined) return known;
    const symbol = this.#table.texts.length + this.#strangers.length;
    this.#strangers.push(character);
    this.#strangerSymbols.set(character, symbol);
    return symbol;
  }

  rank(left: number, right: number): number {
    const id = this.#ids.get(this.#text(left) + this.#text(right));
    if (id === undefined) return -1;
    if (this.#table.kinds[id] === TokenKind.unused) this.#parts.set(id, [left, right]);
    return this.#ranks[id]!;
  }

  join(left: number, right: number): number {
    return this.#ids.get(this.#text(left) + this.#text(right))!;
  }

  emit(symbol: number, into: number[], fallback: Fallback): void {
    const parts = this.#parts.get(symbol);
    if (parts !== undefined) {
      for (const part of parts) this.emit(part, into, fallback);
    } else if (symbol < this.#table.texts.length) {
      into.push(symbol);
    } else {
      fallback.encode(this.#text(symbol), into);
    }
  }
}
