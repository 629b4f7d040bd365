import { FormatError } from "../errors.ts";

/** What a token is for; the values of GGUF's `tokenizer.ggml.token_type`. */
export const TokenKind = {
  normal: 1,
  unknown: 2,
  control: 3,
  userDefined: 4,
  unused: 5,
  byte: 6,
} as const;
export type TokenKind = (typeof TokenKind)[keyof typeof TokenKind];

/** A vocabulary: the text and the kind of every token, by id. */
export interface TokenTable {
  readonly texts: readonly string[];
  readonly kinds: Uint8Array;
}

/** Control and unknown tokens: never made from text that a user wrote, and hidden when decoding. */
export function isSpecialKind(kind: number | undefined): boolean {
  return kind === TokenKind.control || kind === TokenKind.unknown;
}

/** Texts that end a turn wherever they are control tokens. */
const TURN_ENDS = new Set([
  "<|eot_id|>",
  "<|eom_id|>",
  "<|im_end|>",
  "<|end|>",
  "<|end_of_text|>",
  "<|endoftext|>",
  "<|end_of_turn|>",
  "<|END_OF_TURN_TOKEN|>",
  "<|return|>",
  "<|call|>",
  "<end_of_turn>",
  "<end_of_utterance>",
  "<eos>",
  "<EOS>",
  "<EOT>",
  "_<EOT>",
  "< EOT >",
  "</s>",
  "<｜end▁of▁sentence｜>",
]);

/**
 * Texts that only make sense as control tokens. Some converters store them as ordinary ones, which
 * would let a user's text end a turn. `</s>` is not here: in a vocabulary without it as a control
 * token it is HTML.
 */
const ALWAYS_CONTROL = new Set([
  "<|eot_id|>",
  "<|eom_id|>",
  "<|im_start|>",
  "<|im_end|>",
  "<|start_header_id|>",
  "<|end_header_id|>",
  "<|begin_of_text|>",
  "<|end_of_text|>",
  "<|endoftext|>",
  "<|end_of_turn|>",
  "<start_of_turn>",
  "<end_of_turn>",
]);

/** Marks tokens as control that must be, whatever the file says. */
export function correctKinds(table: TokenTable): void {
  table.texts.forEach((text, id) => {
    if (ALWAYS_CONTROL.has(text)) table.kinds[id] = TokenKind.control;
  });
}

/** Ids that end a turn: `named` (eos, eot, eom, where given) and control tokens known by text. */
export function turnEnds(
  table: TokenTable,
  named: readonly (number | undefined)[],
): ReadonlySet<number> {
  const ends = new Set<number>(named.filter((id) => id !== undefined));
  // Where <|return|> ends a turn, <|end|> only ends one message of it.
  const endIsInner = table.texts.includes("<|return|>");
  table.texts.forEach((text, id) => {
    if (table.kinds[id] !== TokenKind.control || !TURN_ENDS.has(text)) return;
    if (text === "<|end|>" && endIsInner && !ends.has(id)) return;
    ends.add(id);
  });
  return ends;
}

/** Ids of the tokens that text can turn into; of equal texts the first. */
export function textIds(table: TokenTable, accept: (kind: number) => boolean): Map<string, number> {
  const ids = new Map<string, number>();
  table.texts.forEach((text, id) => {
    if (accept(table.kinds[id]!) && !ids.has(text)) ids.set(text, id);
  });
  return ids;
}

/** Whether `id` is in a vocabulary of `size`. */
export function isId(id: unknown, size: number): id is number {
  return typeof id === "number" && Number.isInteger(id) && id >= 0 && id < size;
}

/** Checks that `id` is in a vocabulary of `size`; returns it. */
export function checkId(where: string, id: unknown, size: number): number {
  if (isId(id, size)) return id;
  const shown = typeof id === "number" ? id : `a ${typeof id}`;
  throw new FormatError(`${where} is ${shown}; expected a token id below ${size}`);
}
