import { FormatError, UnsupportedError } from "../errors.ts";
import type { AddedToken } from "./added-tokens.ts";
import { byteAlphabet } from "./byte-alphabet.ts";
import { parseMerges } from "./merge-table.ts";
import { byteLevelModel, Fallback, scoredModel } from "./models.ts";
import { preTokenizerNamed } from "./pre-tokenizers.ts";
import {
  byteLevelBytes,
  checkByteTokens,
  sentencePieceBytes,
  VISIBLE_SPACE,
} from "./token-bytes.ts";
import {
  checkId,
  correctKinds,
  isSpecialKind,
  textIds,
  TokenKind,
  turnEnds,
} from "./token-table.ts";
import type { TokenTable } from "./token-table.ts";
import { Tokenizer } from "./tokenizer.ts";
import type { TokenizerParts } from "./tokenizer.ts";

/** GGUF metadata by key, as plain values: strings, numbers, booleans, arrays and typed arrays. */
export type GgufMetadata = ReadonlyMap<string, unknown>;

/** Merge ranks share a number with a position, and the largest real vocabularies have 262,144. */
const MAX_TOKENS = 2 ** 21;

const KEY = "tokenizer.ggml.";

/** Reads metadata under `tokenizer.`; `FormatError` where a type is wrong. */
class Fields {
  readonly #metadata: GgufMetadata;

  constructor(metadata: GgufMetadata) {
    this.#metadata = metadata;
  }

  #typed(key: string, type: "string" | "boolean"): unknown {
    const value = this.#metadata.get(key);
    if (value !== undefined && typeof value !== type)
      throw new FormatError(`gguf: ${key} is a ${typeof value}; expected a ${type}`);
    return value;
  }

  text(key: string): string | undefined {
    return this.#typed(key, "string") as string | undefined;
  }

  flag(name: string): boolean | undefined {
    return this.#typed(KEY + name, "boolean") as boolean | undefined;
  }

  id(name: string, size: number): number | undefined {
    const value = this.#metadata.get(KEY + name);
    if (value === undefined) return undefined;
    // 64-bit integers may come as bigint.
    const id = typeof value === "bigint" ? Number(value) : value;
    return checkId(`gguf: ${KEY}${name}`, id, size);
  }

  strings(name: string): readonly string[] | undefined {
    const value = this.#metadata.get(KEY + name);
    if (value === undefined) return undefined;
    if (!Array.isArray(value) || !value.every((item) => typeof item === "string"))
      throw new FormatError(`gguf: ${KEY}${name} is not an array of strings`);
    return value;
  }

  /** An array of `length` numbers. */
  numbers(name: string, length: number): ArrayLike<number> | undefined {
    const value = this.#metadata.get(KEY + name);
    if (value === undefined) return undefined;
    if (!Array.isArray(value) && !(ArrayBuffer.isView(value) && "length" in value))
      throw new FormatError(`gguf: ${KEY}${name} is not an array of numbers`);
    const numbers = value as ArrayLike<unknown>;
    if (numbers.length !== length)
      throw new FormatError(
        `gguf: ${KEY}${name} has ${numbers.length} values for ${length} tokens`,
      );
    for (let i = 0; i < length; i++) {
      const number = numbers[i];
      if (typeof number !== "number" || Number.isNaN(number))
        throw new FormatError(
          `gguf: ${KEY}${name}[${i}] is ${typeof number === "number" ? "NaN" : `a ${typeof number}`}; expected a number`,
        );
    }
    return numbers as ArrayLike<number>;
  }
}

/** The vocabulary and the kinds of its tokens. */
function readTable(fields: Fields): TokenTable {
  const texts = fields.strings("tokens");
  if (texts === undefined || texts.length === 0)
    throw new FormatError(`gguf: ${KEY}tokens is missing or empty; the file has no tokenizer`);
  if (texts.length > MAX_TOKENS)
    throw new FormatError(`gguf: ${texts.length} tokens; at most ${MAX_TOKENS} are supported`);
  const kinds = new Uint8Array(texts.length).fill(TokenKind.normal);
  const types = fields.numbers("token_type", texts.length);
  if (types !== undefined)
    for (let id = 0; id < texts.length; id++) {
      const type = types[id]!;
      if (!Number.isInteger(type) || type < 0 || type > 6)
        throw new FormatError(`gguf: ${KEY}token_type[${id}] is ${type}; expected 0 to 6`);
      // 0 is "undefined", which nothing treats apart.
      kinds[id] = type === 0 ? TokenKind.normal : type;
    }
  const table = { texts, kinds };
  correctKinds(table);
  return table;
}

function addedOfKind(table: TokenTable, accept: (kind: number) => boolean): AddedToken[] {
  const added: AddedToken[] = [];
  table.texts.forEach((text, id) => {
    if (accept(table.kinds[id]!)) added.push({ id, text, trimLeft: false, trimRight: false });
  });
  return added;
}

type Kernel = Pick<
  TokenizerParts,
  "bytesOf" | "added" | "addedNormalized" | "normalize" | "split" | "model" | "stripsLeadingSpace"
> & { readonly addBos: boolean };

/** `gpt2`: byte-level BPE. */
function byteLevel(fields: Fields, table: TokenTable, unknownId: number | undefined): Kernel {
  const merges = fields.strings("merges");
  if (merges === undefined)
    throw new FormatError(`gguf: ${KEY}merges is missing; byte-level BPE (gpt2) needs it`);
  const pre = preTokenizerNamed(fields.text(`${KEY}pre`) ?? "default");
  const { characters, bytes } = byteAlphabet();
  const ids = textIds(table, (kind) => kind === TokenKind.normal || kind === TokenKind.unused);
  const form = pre.normalization;
  return {
    bytesOf: byteLevelBytes(table, bytes),
    added: addedOfKind(table, (kind) => isSpecialKind(kind) || kind === TokenKind.userDefined),
    addedNormalized: [],
    normalize: form === undefined ? (text) => text : (text) => text.normalize(form),
    split: pre.split,
    model: byteLevelModel({
      ids,
      characters,
      merges: parseMerges(`gguf: ${KEY}merges`, merges, ids),
      wholePieces: pre.wholePieces,
      unknownId,
    }),
    stripsLeadingSpace: false,
    addBos: pre.addBos,
  };
}

/** `llama`: SentencePiece BPE by scores. */
function sentencePiece(fields: Fields, table: TokenTable, unknownId: number | undefined): Kernel {
  const scores = fields.numbers("scores", table.texts.length);
  if (scores === undefined)
    throw new FormatError(`gguf: ${KEY}scores is missing; SentencePiece (llama) needs it`);
  checkByteTokens(`gguf: ${KEY}tokens`, table);
  const spacePrefix = fields.flag("add_space_prefix") ?? true;
  const byteIds = textIds(table, (kind) => kind === TokenKind.byte);
  const fallback = new Fallback(byteIds, { bytes: true, unknownId, fuseUnknown: false });
  return {
    bytesOf: sentencePieceBytes(table),
    added: addedOfKind(table, isSpecialKind),
    addedNormalized: addedOfKind(table, (kind) => kind === TokenKind.userDefined),
    normalize: (text) => ((spacePrefix ? " " : "") + text).replaceAll(" ", VISIBLE_SPACE),
    split: (text) => [text],
    model: scoredModel(table, scores, fallback),
    stripsLeadingSpace: spacePrefix,
    addBos: true,
  };
}

/**
 * The tokenizer of a GGUF file, from its metadata. Throws `FormatError` where that is wrong or
 * incomplete, `UnsupportedError` for kinds of tokenizer that are not known.
 */
export function tokenizerFromGguf(metadata: GgufMetadata): Tokenizer {
  const fields = new Fields(metadata);
  const kind = fields.text(`${KEY}model`);
  if (kind === undefined)
    throw new FormatError(`gguf: ${KEY}model is missing; the file has no tokenizer`);
  if (kind !== "gpt2" && kind !== "llama")
    throw new UnsupportedError(
      `gguf: ${KEY}model is ${JSON.stringify(kind)}, which is not supported; supported: gpt2, llama`,
    );
  const table = readTable(fields);
  const id = (name: string): number | undefined =>
    fields.id(`${name}_token_id`, table.texts.length);
  const bosId = id("bos");
  const eosId = id("eos");
  const unknownId = id("unknown");
  id("padding");
  const kernel =
    kind === "gpt2" ? byteLevel(fields, table, unknownId) : sentencePiece(fields, table, unknownId);
  const { addBos, ...parts } = kernel;
  const addsBos = fields.flag("add_bos_token") ?? addBos;
  const addsEos = fields.flag("add_eos_token") ?? false;
  return new Tokenizer({
    ...parts,
    table,
    prefix: addsBos && bosId !== undefined ? [bosId] : [],
    suffix: addsEos && eosId !== undefined ? [eosId] : [],
    bosId,
    eosId,
    endIds: turnEnds(table, [eosId, id("eot"), id("eom")]),
    chatTemplate: fields.text("tokenizer.chat_template"),
  });
}
