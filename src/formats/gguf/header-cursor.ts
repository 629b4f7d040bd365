import type { ByteSource } from "../../byte-source.ts";
import { FormatError } from "../../errors.ts";

/** First piece read: a header with 128,000 tokens and their merges (8 MB) then takes four reads. */
const FIRST_PIECE_BYTES = 2 ** 20;

/**
 * The largest header read. The biggest vocabularies in use (some 260,000 tokens with their merges)
 * take about 15 MB; the limit keeps a hostile file from filling memory.
 */
export const MAX_HEADER_BYTES = 2 ** 28;

/**
 * Array elements in all of a header. The largest real vocabularies, with merges, scores and types,
 * come to 1.5 million; the limit bounds what they take in memory, where a byte becomes eight.
 */
const MAX_ELEMENTS = 2 ** 23;

/** Upper words from here on make a 64-bit integer unsafe. */
const UNSAFE_UPPER_WORD = 2 ** 21;
const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Reads a header front to back, fetching more of the file as it goes: twice as much each time, so
 * that a header of any size takes few reads and little more memory than it needs.
 */
export class HeaderCursor {
  readonly source: ByteSource;
  readonly #signal: AbortSignal | undefined;
  #bytes = new Uint8Array();
  #view = new DataView(this.#bytes.buffer);
  #offset = 0;
  #elements = 0;

  constructor(source: ByteSource, signal: AbortSignal | undefined) {
    this.source = source;
    this.#signal = signal;
  }

  /** Bytes read so far: the position of the next. */
  get offset(): number {
    return this.#offset;
  }

  /** Bytes between here and the end of the file. */
  get remaining(): number {
    return this.source.byteLength - this.#offset;
  }

  /** A `FormatError` that says where. */
  error(message: string): FormatError {
    return new FormatError(`gguf: ${this.source.name}: at byte ${this.#offset}: ${message}`);
  }

  /**
   * Makes the next `count` bytes available. Everything below is synchronous, so that a vocabulary of
   * hundreds of thousands of strings parses without a promise each.
   */
  async need(count: number, what: string): Promise<void> {
    const end = this.#offset + count;
    if (end <= this.#bytes.length) return;
    if (end > this.source.byteLength) {
      throw this.error(`the file ends within ${what} (${this.source.byteLength} bytes in all)`);
    }
    if (end > MAX_HEADER_BYTES) {
      throw this.error(`${what} makes the header larger than ${MAX_HEADER_BYTES} bytes`);
    }
    const have = this.#bytes.length;
    const want = Math.min(
      Math.max(end, 2 * have, FIRST_PIECE_BYTES),
      this.source.byteLength,
      MAX_HEADER_BYTES,
    );
    const bytes = new Uint8Array(want);
    bytes.set(this.#bytes);
    bytes.set(await this.source.read(have, want - have, this.#signal), have);
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }

  /** True where the next `count` bytes are available without reading. */
  has(count: number): boolean {
    return this.#offset + count <= this.#bytes.length;
  }

  #take(count: number): number {
    const at = this.#offset;
    if (at + count > this.#bytes.length) throw new Error("gguf: need() was not called");
    this.#offset += count;
    return at;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }
  i8(): number {
    return this.#view.getInt8(this.#take(1));
  }
  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }
  i16(): number {
    return this.#view.getInt16(this.#take(2), true);
  }
  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }
  i32(): number {
    return this.#view.getInt32(this.#take(4), true);
  }
  f32(): number {
    return this.#view.getFloat32(this.#take(4), true);
  }
  f64(): number {
    return this.#view.getFloat64(this.#take(8), true);
  }
  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }
  i64(): bigint {
    return this.#view.getBigInt64(this.#take(8), true);
  }

  /** An unsigned 64-bit count or offset, which must be a safe integer. */
  size(what: string): number {
    const value = this.peekSize(what);
    this.#take(8);
    return value;
  }

  /** What `size` would read, left where it is. */
  peekSize(what: string): number {
    const at = this.#take(8);
    this.#offset = at;
    const upper = this.#view.getUint32(at + 4, true);
    if (upper >= UNSAFE_UPPER_WORD) {
      throw this.error(`${what} is ${this.#view.getBigUint64(at, true)}`);
    }
    return upper * 2 ** 32 + this.#view.getUint32(at, true);
  }

  /** Counts array elements against what a header may hold in all. Call before allocating. */
  countElements(count: number, what: string): void {
    this.#elements += count;
    if (this.#elements > MAX_ELEMENTS) {
      throw this.error(`with ${what}, arrays have more than ${MAX_ELEMENTS} elements in all`);
    }
  }

  /** The next `length` bytes as UTF-8; malformed sequences become U+FFFD, as tokens may hold any. */
  text(length: number): string {
    const at = this.#take(length);
    return UTF8.decode(this.#bytes.subarray(at, at + length));
  }
}
