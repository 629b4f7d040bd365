/**
 * The alphabet of byte-level vocabularies: every byte is written as one printable character, so that
 * a token's text is a string whatever bytes it stands for. Printable Latin-1 stands for itself; the
 * other 68 bytes take U+0100 onwards, in order.
 */
export interface ByteAlphabet {
  /** The character of each byte, [256]. */
  readonly characters: readonly string[];
  /** The byte of each character. */
  readonly bytes: ReadonlyMap<string, number>;
}

const isPrintableLatin1 = (byte: number): boolean =>
  (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xff && byte !== 0xad);

/** Builds both directions of the alphabet. */
export function byteAlphabet(): ByteAlphabet {
  const characters: string[] = [];
  const bytes = new Map<string, number>();
  let next = 0x100;
  for (let byte = 0; byte < 256; byte++) {
    const character = String.fromCodePoint(isPrintableLatin1(byte) ? byte : next++);
    characters.push(character);
    bytes.set(character, byte);
  }
  return { characters, bytes };
}
