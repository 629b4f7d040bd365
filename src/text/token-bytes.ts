import { FormatError } from "../errors.ts";
import { byteTokenText } from "./models.ts";
import { TokenKind } from "./token-table.ts";
import type { TokenTable } from "./token-table.ts";

/** SentencePiece's visible space, U+2581. */
export const VISIBLE_SPACE = "▁";

const encoder = (): ((text: string) => Uint8Array) => {
  const utf8 = new TextEncoder();
  return (text) => utf8.encode(text);
};

/** Remembers a token's bytes. */
function remembered(size: number, make: (id: number) => Uint8Array): (id: number) => Uint8Array {
  const known = Array.from<Uint8Array | undefined>({ length: size });
  return (id) => (known[id] ??= make(id));
}

/** Bytes of byte-level tokens. A text with characters outside the alphabet stands for itself. */
export function byteLevelBytes(
  table: TokenTable,
  alphabet: ReadonlyMap<string, number>,
): (id: number) => Uint8Array {
  const encode = encoder();
  return remembered(table.texts.length, (id) => {
    const text = table.texts[id]!;
    const kind = table.kinds[id];
    if (kind !== TokenKind.normal && kind !== TokenKind.unused) return encode(text);
    const bytes: number[] = [];
    for (const character of text) {
      const byte = alphabet.get(character);
      if (byte === undefined) return encode(text);
      bytes.push(byte);
    }
    return Uint8Array.from(bytes);
  });
}

/** Bytes of SentencePiece tokens: `▁` is a space, and byte tokens are a byte. */
export function sentencePieceBytes(table: TokenTable): (id: number) => Uint8Array {
  const encode = encoder();
  return remembered(table.texts.length, (id) => {
    const text = table.texts[id]!;
    const kind = table.kinds[id];
    if (kind === TokenKind.byte) return Uint8Array.of(Number.parseInt(text.slice(3, 5), 16));
    if (kind === TokenKind.control || kind === TokenKind.unknown) return encode(text);
    return encode(text.replaceAll(VISIBLE_SPACE, " "));
  });
}

/** Checks that byte tokens are spelled as such: `<0x0A>`. */
export function checkByteTokens(where: string, table: TokenTable): void {
  table.texts.forEach((text, id) => {
    if (table.kinds[id] !== TokenKind.byte) return;
    if (byteTokenText(Number.parseInt(text.slice(3, 5), 16)) !== text)
      throw new FormatError(
        `${where}: token ${id} is a byte token with the text ${JSON.stringify(text)}; expected <0x00> to <0xFF>`,
      );
  });
}
