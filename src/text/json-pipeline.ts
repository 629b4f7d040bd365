/** The stages of a `tokenizer.json` around its model: normalizer, pre_tokenizer, decoder. */
import { FormatError, UnsupportedError } from "../errors.ts";
import type { JsonObject } from "./json-fields.ts";
import { GPT2_PATTERN } from "./pre-tokenizers.ts";
import { SPLIT_BEHAVIORS, splitBy, splitInSequence } from "./split.ts";
import type { SplitPattern, Splitter } from "./split.ts";
import { VISIBLE_SPACE } from "./token-bytes.ts";

type Normalizer = (text: string) => string;

const unsupported = (stage: JsonObject, supported: string): UnsupportedError =>
  new UnsupportedError(
    `${stage.where}: ${JSON.stringify(stage.value("type") ?? null)} is not supported; supported: ${supported}`,
  );

/** A pattern field: `{ "Regex": … }` or `{ "String": … }`. */
function patternOf(stage: JsonObject): SplitPattern {
  const pattern = stage.required("pattern", stage.object("pattern"));
  const regex = pattern.text("Regex");
  if (regex !== undefined) return { Regex: regex };
  return { String: pattern.required("String", pattern.text("String")) };
}

/** Turns a stage's bad regular expression into our error. */
function withPattern<T>(stage: JsonObject, make: () => T): T {
  try {
    return make();
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new UnsupportedError(`${stage.where}.pattern: ${cause.message}`, { cause });
  }
}

/** Reads `normalizer`. */
export function normalizerOf(stage: JsonObject | undefined): Normalizer {
  if (stage === undefined) return (text) => text;
  const type = stage.text("type");
  switch (type) {
    case "Sequence": {
      const stages = stage.objects("normalizers").map(normalizerOf);
      return (text) => stages.reduce((current, normalize) => normalize(current), text);
    }
    case "NFC":
    case "NFD":
    case "NFKC":
    case "NFKD":
      return (text) => text.normalize(type);
    case "Lowercase":
      return (text) => text.toLowerCase();
    case "Prepend": {
      const prepend = stage.text("prepend") ?? "";
      return (text) => prepend + text;
    }
    case "Replace": {
      const pattern = patternOf(stage);
      const content = stage.text("content") ?? "";
      if ("Regex" in pattern)
        throw new UnsupportedError(`${stage.where}.pattern: only a String is supported`);
      return (text) => text.replaceAll(pattern.String, () => content);
    }
    case undefined:
    default:
      throw unsupported(stage, "Sequence, NFC, NFD, NFKC, NFKD, Lowercase, Prepend, Replace");
  }
}

export interface PreTokenization {
  readonly split: Splitter;
  /** The last stage spells pieces in the byte alphabet. */
  readonly byteLevel: boolean;
}

function flattened(stage: JsonObject, list: string): JsonObject[] {
  if (stage.text("type") !== "Sequence") return [stage];
  return stage.objects(list).flatMap((inner) => flattened(inner, list));
}

/** Reads `pre_tokenizer`. */
export function preTokenizationOf(stage: JsonObject | undefined): PreTokenization {
  if (stage === undefined) return { split: (text) => [text], byteLevel: false };
  const stages = flattened(stage, "pretokenizers");
  const byteLevelAt = stages.findIndex((inner) => inner.text("type") === "ByteLevel");
  if (byteLevelAt >= 0 && byteLevelAt < stages.length - 1)
    throw new UnsupportedError(`${stage.where}: ByteLevel is only supported as the last stage`);
  return { split: splitInSequence(stages.map(splitterOf)), byteLevel: byteLevelAt >= 0 };
}

function splitterOf(stage: JsonObject): Splitter {
  switch (stage.text("type")) {
    case "Split": {
      const name = stage.text("behavior") ?? "Isolated";
      const behavior = SPLIT_BEHAVIORS.find((known) => known.toLowerCase() === name.toLowerCase());
      if (behavior === undefined)
        throw new FormatError(
          `${stage.where}.behavior is ${JSON.stringify(name)}; expected ${SPLIT_BEHAVIORS.join(", ")}`,
        );
      const pattern = patternOf(stage);
      return withPattern(stage, () => splitBy(pattern, behavior, stage.flag("invert") ?? false));
    }
    case "Digits":
      return splitBy({ Regex: stage.flag("individual_digits") ? "\\p{N}" : "\\p{N}+" });
    case "ByteLevel": {
      const split: Splitter =
        (stage.flag("use_regex") ?? true) ? splitBy({ Regex: GPT2_PATTERN }) : (text) => [text];
      if (!(stage.flag("add_prefix_space") ?? true)) return split;
      return (text, first) => split(text.startsWith(" ") ? text : ` ${text}`, first);
    }
    case "Metaspace":
      return metaspaceOf(stage);
    case undefined:
    default:
      throw unsupported(stage, "Sequence, Split, Digits, ByteLevel, Metaspace");
  }
}

/** Whether, and before what, Metaspace puts a space; older files have a flag instead. */
function prependScheme(stage: JsonObject): "always" | "first" | "never" {
  const scheme =
    stage.text("prepend_scheme") ?? ((stage.flag("add_prefix_space") ?? true) ? "always" : "never");
  if (scheme === "always" || scheme === "first" || scheme === "never") return scheme;
  throw new FormatError(
    `${stage.where}.prepend_scheme is ${JSON.stringify(scheme)}; expected always, first, never`,
  );
}

function checkReplacement(stage: JsonObject): void {
  const replacement = stage.text("replacement") ?? VISIBLE_SPACE;
  if (replacement !== VISIBLE_SPACE)
    throw new UnsupportedError(
      `${stage.where}.replacement is ${JSON.stringify(replacement)}; supported: ${VISIBLE_SPACE}`,
    );
}

function metaspaceOf(stage: JsonObject): Splitter {
  checkReplacement(stage);
  const scheme = prependScheme(stage);
  const splitsWords = stage.flag("split") ?? true;
  const split = splitBy({ String: VISIBLE_SPACE }, "MergedWithNext");
  return (text, first) => {
    let spaced = text.replaceAll(" ", VISIBLE_SPACE);
    const prepends = scheme === "always" || (scheme === "first" && first);
    if (prepends && !spaced.startsWith(VISIBLE_SPACE)) spaced = VISIBLE_SPACE + spaced;
    return splitsWords ? split(spaced, first) : [spaced];
  };
}

export interface Decoding {
  readonly byteLevel: boolean;
  readonly stripsLeadingSpace: boolean;
}

/** Reads `decoder`. Only what byte-level and SentencePiece vocabularies need is supported. */
export function decodingOf(stage: JsonObject | undefined): Decoding {
  if (stage === undefined) return { byteLevel: false, stripsLeadingSpace: false };
  let byteLevel = false;
  let stripsLeadingSpace = false;
  for (const inner of flattened(stage, "decoders")) {
    const wrong = (): UnsupportedError => unsupported(inner, DECODERS);
    switch (inner.text("type")) {
      case "ByteLevel":
        byteLevel = true;
        break;
      case "ByteFallback":
      case "Fuse":
        break;
      case "Replace": {
        const pattern = patternOf(inner);
        if (
          !("String" in pattern) ||
          pattern.String !== VISIBLE_SPACE ||
          inner.text("content") !== " "
        )
          throw wrong();
        break;
      }
      case "Strip":
        if (inner.text("content") !== " " || (inner.value("stop") ?? 0) !== 0) throw wrong();
        if (inner.value("start") === 1) stripsLeadingSpace = true;
        break;
      case "Metaspace":
        checkReplacement(inner);
        if (prependScheme(inner) !== "never") stripsLeadingSpace = true;
        break;
      case undefined:
      default:
        throw wrong();
    }
  }
  return { byteLevel, stripsLeadingSpace };
}

const DECODERS =
  `Sequence, ByteLevel, ByteFallback, Fuse, Metaspace, Replace of ${VISIBLE_SPACE} by a space, ` +
  "Strip of leading spaces";
