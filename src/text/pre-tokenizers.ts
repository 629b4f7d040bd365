import { UnsupportedError } from "../errors.ts";
import { splitBy, splitInSequence } from "./split.ts";
import type { Splitter } from "./split.ts";

/** How text is cut up before byte-pair merging, for a name in `tokenizer.ggml.pre`. */
export interface PreTokenizer {
  /** Patterns in Oniguruma's syntax, applied one after the other. */
  readonly patterns: readonly string[];
  /** A piece that is a token is taken whole. */
  readonly wholePieces: boolean;
  /** Whether BOS leads where the file does not say. */
  readonly addBos: boolean;
  /** Normalisation of the models that use this name; GGUF does not record it. */
  readonly normalization: "NFC" | undefined;
}

const CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const SPACES = "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/** Llama 3's pattern with runs of at most `digits` digits; Qwen 2's where that is one. */
const llama3 = (digits: string): string =>
  `${CONTRACTIONS}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|${SPACES}`;

const UPPER = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
const LOWER = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";

/** GPT-4o's pattern: words end where lower case turns upper. */
const cased = (suffix: string, digits: string): string =>
  `[^\\r\\n\\p{L}\\p{N}]?${UPPER}*${LOWER}+${suffix}|[^\\r\\n\\p{L}\\p{N}]?${UPPER}+${LOWER}*${suffix}` +
  `|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|${SPACES}`;

/** GPT-2's pattern: contractions in lower case only, digits in runs of any length. */
export const GPT2_PATTERN =
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

interface Family extends Partial<PreTokenizer> {
  readonly names: readonly string[];
  readonly patterns: readonly string[];
}

const FAMILIES: readonly Family[] = [
  {
    names: ["llama-bpe", "llama3", "llama-v3", "falcon3"],
    patterns: [llama3("\\p{N}{1,3}")],
    wholePieces: true,
    addBos: true,
  },
  { names: ["dbrx", "smaug-bpe"], patterns: [llama3("\\p{N}{1,3}")] },
  {
    names: ["qwen2", "deepseek-r1-qwen"],
    patterns: [llama3("\\p{N}")],
    normalization: "NFC",
  },
  { names: ["stablelm2"], patterns: [llama3("\\p{N}")] },
  { names: ["gpt-2", "phi-2", "mpt", "olmo", "roberta-bpe"], patterns: [GPT2_PATTERN] },
  {
    names: ["smollm", "starcoder", "refact", "command-r", "codeshell"],
    patterns: ["\\p{N}", GPT2_PATTERN],
  },
  { names: ["gpt-4o", "llama4"], patterns: [cased(`${CONTRACTIONS}?`, "\\p{N}{1,3}")] },
  { names: ["tekken"], patterns: [cased("", "\\p{N}")], wholePieces: true, addBos: true },
  {
    names: ["default"],
    patterns: ["[\\p{P}\\$\\+<=>\\^~\\|]+", GPT2_PATTERN, "\\p{N}+", "[0-9][0-9][0-9]"],
  },
];

/** The pre-tokenizer of a name. Throws `UnsupportedError` for others, by name. */
export function preTokenizerNamed(name: string): PreTokenizer & { readonly split: Splitter } {
  const family = FAMILIES.find((candidate) => candidate.names.includes(name));
  if (family === undefined)
    throw new UnsupportedError(
      `gguf: tokenizer.ggml.pre is ${JSON.stringify(name)}, which is not supported; supported: ` +
        FAMILIES.flatMap(({ names }) => names).join(", "),
    );
  return {
    patterns: family.patterns,
    wholePieces: family.wholePieces ?? false,
    addBos: family.addBos ?? false,
    normalization: family.normalization,
    split: splitInSequence(family.patterns.map((pattern) => splitBy({ Regex: pattern }))),
  };
}
