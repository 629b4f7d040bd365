import { FormatError, UnsupportedError } from "../errors.ts";
import type { AddedToken } from "./added-tokens.ts";
import { byteAlphabet } from "./byte-alphabet.ts";
import { JsonObject } from "./json-fields.ts";
import { decodingOf, normalizerOf, preTokenizationOf } from "./json-pipeline.ts";
import { parseMerges } from "./merge-table.ts";
import { byteLevelModel, characterModel, Fallback } from "./models.ts";
import type { TokenModel } from "./models.ts";
import { byteLevelBytes, sentencePieceBytes } from "./token-bytes.ts";
import { checkId, correctKinds, isId, textIds, TokenKind, turnEnds } from "./token-table.ts";
import type { TokenTable } from "./token-table.ts";
import { Tokenizer } from "./tokenizer.ts";

const FILE = "tokenizer.json";

/** Ids are indices into arrays; the largest real vocabularies have 262,144 tokens. */
const MAX_TOKENS = 2 ** 21;

interface Vocabulary {
  readonly table: TokenTable;
  readonly addedTokens: readonly (AddedToken & { readonly normalized: boolean })[];
}

/** Reads the model's vocabulary and the added tokens into one table. */
function readVocabulary(file: JsonObject, model: JsonObject): Vocabulary {
  const texts: string[] = [];
  const normal = model.required("vocab", model.object("vocab")).entries();
  const entries = file.objects("added_tokens").map((entry) => readAddedToken(entry));
  for (const [text, id] of normal) {
    // Messages are only spelled out for ids that are wrong: there may be 262,144 others.
    const at = isId(id, MAX_TOKENS) ? id : checkId(`${model.where}.vocab.${text}`, id, MAX_TOKENS);
    if (texts[at] !== undefined)
      throw new FormatError(
        `${model.where}.vocab: ${JSON.stringify(texts[at])} and ${JSON.stringify(text)} share id ${at}`,
      );
    texts[at] = text;
  }
  for (const { id, text } of entries) texts[id] = text;
  // Ids that nothing claims exist as rows of the model's matrices only.
  for (let id = 0; id < texts.length; id++) texts[id] ??= "";
  const kinds = new Uint8Array(texts.length).fill(TokenKind.normal);
  if (model.flag("byte_fallback"))
    texts.forEach((text, id) => {
      if (/^<0x[0-9A-F]{2}>$/.test(text)) kinds[id] = TokenKind.byte;
    });
  for (const { id, special } of entries)
    kinds[id] = special ? TokenKind.control : TokenKind.userDefined;
  const addedIds = new Set(entries.map(({ id }) => id));
  const corrected = kinds.slice();
  correctKinds({ texts, kinds: corrected });
  for (const id of addedIds) kinds[id] = corrected[id]!;
  return { table: { texts, kinds }, addedTokens: entries };
}

function readAddedToken(entry: JsonObject): AddedToken & { normalized: boolean; special: boolean } {
  if (entry.flag("single_word"))
    throw new UnsupportedError(`${entry.where}: single_word tokens are not supported`);
  const special = entry.flag("special") ?? false;
  return {
    id: checkId(`${entry.where}.id`, entry.value("id"), MAX_TOKENS),
    text: entry.required("content", entry.text("content")),
    trimLeft: entry.flag("lstrip") ?? false,
    trimRight: entry.flag("rstrip") ?? false,
    normalized: entry.flag("normalized") ?? !special,
    special,
  };
}

function readModel(model: JsonObject, table: TokenTable, byteLevel: boolean): TokenModel {
  const type = model.text("type") ?? (model.value("merges") === undefined ? undefined : "BPE");
  if (type !== "BPE")
    throw new UnsupportedError(
      `${model.where}.type is ${JSON.stringify(type ?? null)}, which is not supported; supported: BPE`,
    );
  for (const name of ["continuing_subword_prefix", "end_of_word_suffix"])
    if ((model.text(name) ?? "") !== "")
      throw new UnsupportedError(`${model.where}.${name} is not supported`);
  const merges = model.required("merges", model.list("merges"));
  const unknown = model.text("unk_token");
  const unknownId = unknown === undefined ? undefined : table.texts.indexOf(unknown);
  if (unknownId === -1)
    throw new FormatError(`${model.where}.unk_token ${JSON.stringify(unknown)} is not a token`);
  const all = textIds(table, () => true);
  const options = {
    ids: textIds(table, (kind) => kind === TokenKind.normal),
    merges: parseMerges(`${model.where}.merges`, merges, all),
    wholePieces: model.flag("ignore_merges") ?? false,
    unknownId,
  };
  if (byteLevel) return byteLevelModel({ ...options, characters: byteAlphabet().characters });
  const fallback = new Fallback(
    textIds(table, (kind) => kind === TokenKind.byte),
    {
      bytes: model.flag("byte_fallback") ?? false,
      unknownId,
      fuseUnknown: model.flag("fuse_unk") ?? false,
    },
  );
  return characterModel({ ...options, fallback });
}

interface Around {
  readonly prefix: number[];
  readonly suffix: number[];
}

/** Reads the tokens that `post_processor` puts around a text; undefined where it has no template. */
function readAround(stage: JsonObject | undefined, size: number): Around | undefined {
  if (stage === undefined) return undefined;
  switch (stage.text("type")) {
    case "ByteLevel":
      return undefined;
    case "Sequence":
      return stage
        .objects("processors")
        .map((inner) => readAround(inner, size))
        .find((around) => around !== undefined);
    case "TemplateProcessing":
      return readTemplate(stage, size);
    default:
      throw new UnsupportedError(
        `${stage.where}: ${JSON.stringify(stage.value("type") ?? null)} is not supported; supported: ` +
          "Sequence, ByteLevel, TemplateProcessing",
      );
  }
}

function readTemplate(stage: JsonObject, size: number): Around {
  const around: Around = { prefix: [], suffix: [] };
  let side = around.prefix;
  for (const item of stage.objects("single")) {
    const special = item.object("SpecialToken");
    if (special === undefined) {
      side = around.suffix;
      continue;
    }
    const name = special.required("id", special.text("id"));
    const token = stage.object("special_tokens")?.object(name);
    if (token === undefined)
      throw new FormatError(`${stage.where}.special_tokens: ${JSON.stringify(name)} is missing`);
    for (const id of token.list("ids") ?? []) side.push(checkId(`${token.where}.ids`, id, size));
  }
  return around;
}

/** A token of `tokenizer_config.json`: its text, or an object with it. */
function configToken(config: JsonObject | undefined, name: string): string | undefined {
  const value = config?.value(name);
  return value !== undefined && typeof value !== "string"
    ? config!.object(name)?.text("content")
    : value;
}

/** The chat template of `tokenizer_config.json`: one, or the one named `default` of several. */
function configTemplate(config: JsonObject | undefined): string | undefined {
  const value = config?.value("chat_template");
  if (!Array.isArray(value)) return config?.text("chat_template");
  return config!
    .objects("chat_template")
    .find((named) => named.text("name") === "default")
    ?.text("template");
}

/**
 * The tokenizer of a Hugging Face checkpoint, from its parsed `tokenizer.json` and, where there is
 * one, `tokenizer_config.json`. Throws `FormatError` where they are wrong, `UnsupportedError` for
 * kinds of tokenizer other than byte-level BPE and SentencePiece-style BPE.
 */
export function tokenizerFromJson(tokenizer: unknown, tokenizerConfig?: unknown): Tokenizer {
  const file = new JsonObject(FILE, tokenizer);
  const config =
    tokenizerConfig === undefined
      ? undefined
      : new JsonObject("tokenizer_config.json", tokenizerConfig);
  const model = file.required("model", file.object("model"));
  const { split, byteLevel } = preTokenizationOf(file.object("pre_tokenizer"));
  const decoding = decodingOf(file.object("decoder"));
  if (decoding.byteLevel !== byteLevel)
    throw new UnsupportedError(
      `${FILE}: the ${byteLevel ? "pre_tokenizer" : "decoder"} is ByteLevel and the other is not`,
    );
  const stage = file.object("normalizer");
  const normalize = normalizerOf(stage);
  // The model's type is checked before its vocabulary, which has another shape in other types.
  if ((model.text("type") ?? "BPE") !== "BPE")
    readModel(model, { texts: [], kinds: new Uint8Array() }, byteLevel);
  const { table, addedTokens } = readVocabulary(file, model);
  const idOf = (name: string): number | undefined => {
    const text = configToken(config, name);
    const id = text === undefined ? -1 : table.texts.indexOf(text);
    return id < 0 ? undefined : id;
  };
  const around = readAround(file.object("post_processor"), table.texts.length);
  const bosId = idOf("bos_token") ?? around?.prefix[0];
  const eosId = idOf("eos_token");
  const flagged = (name: string, id: number | undefined): number[] =>
    config?.flag(name) && id !== undefined ? [id] : [];
  const normalizes = (token: { normalized: boolean }): boolean =>
    token.normalized && stage !== undefined;
  return new Tokenizer({
    table,
    bytesOf: byteLevel ? byteLevelBytes(table, byteAlphabet().bytes) : sentencePieceBytes(table),
    added: addedTokens.filter((token) => !normalizes(token)),
    addedNormalized: addedTokens
      .filter(normalizes)
      .map((token) => ({ ...token, text: normalize(token.text) })),
    normalize,
    split,
    model: readModel(model, table, byteLevel),
    prefix: around?.prefix ?? flagged("add_bos_token", bosId),
    suffix: around?.suffix ?? flagged("add_eos_token", eosId),
    bosId,
    eosId,
    endIds: turnEnds(table, [eosId]),
    chatTemplate: configTemplate(config),
    stripsLeadingSpace: decoding.stripsLeadingSpace,
  });
}
