/**
 * Reads FlatBuffers from files that nobody vouches for. The `flatbuffers` package decodes scalars;
 * it has no verifier, so every position, vtable, vector and string is range-checked here before use.
 */
import { ByteBuffer } from "flatbuffers";
import { FormatError } from "../../errors.ts";

/** Nesting of tables. The deepest path in the schemas read here has 5; nothing recurses. */
export const MAX_DEPTH = 16;

/** Longest string. The longest in real files, the description of a method's inputs, has kilobytes. */
export const MAX_STRING_BYTES = 1 << 20;

/**
 * Bytes that may be read, counting shared ones each time, before a buffer is called malformed: a
 * small file whose vectors all point at each other would otherwise unfold to gigabytes. Writers
 * share strings at most, so a few times the buffer's length is generous; and a graph of 16 layers
 * has 0.3 MB, so the upper limit is too.
 */
const READS_PER_BYTE = 8;
const MIN_READ_BYTES = 1 << 16;
const MAX_READ_BYTES = 1 << 25;

/** What an object costs of the budget beyond its own bytes: vtable and offset. */
const TABLE_READ_BYTES = 8;

/** Bytes inside a buffer, by position: a vector that is left where it is. */
export interface Extent {
  readonly offset: number;
  readonly byteLength: number;
}

/** A union field: the number of its type, and its table. */
export interface FlatUnion {
  readonly type: number;
  readonly table: FlatTable;
}

/** Bounds-checked access to one FlatBuffer. Everything throws `FormatError`, naming the place. */
export class FlatBuffer {
  readonly view: ByteBuffer;
  readonly #bytes: Uint8Array;
  readonly #where: string;
  #budget: number;

  /** `where` starts every message: `pte: llama.pte: program`. */
  constructor(bytes: Uint8Array, where: string) {
    this.#bytes = bytes;
    this.#where = where;
    this.view = new ByteBuffer(bytes);
    this.#budget = Math.min(MAX_READ_BYTES, MIN_READ_BYTES + READS_PER_BYTE * bytes.length);
  }

  /** The four characters at byte 4. */
  identifier(): string {
    this.require(4, 4, this.#where);
    return String.fromCharCode(...this.#bytes.subarray(4, 8));
  }

  root(): FlatTable {
    this.require(0, 4, this.#where);
    return new FlatTable(this, this.view.readUint32(0), this.#where, 0);
  }

  /** Checks that `[position, position + length)` lies in the buffer. */
  require(position: number, length: number, where: string): void {
    if (position < 0 || position + length > this.#bytes.length) {
      throw new FormatError(
        `${where}: bytes ${position}…${position + length} are outside the buffer of ${this.#bytes.length}`,
      );
    }
  }

  /** Counts bytes that are about to be read. */
  charge(byteLength: number, where: string): void {
    this.#budget -= byteLength;
    if (this.#budget < 0) {
      throw new FormatError(
        `${where}: the contents unfold to far more than the buffer's ${this.#bytes.length} bytes`,
      );
    }
  }

  bytes(extent: Extent): Uint8Array {
    return this.#bytes.slice(extent.offset, extent.offset + extent.byteLength);
  }

  utf8(extent: Extent, where: string): string {
    const bytes = this.#bytes.subarray(extent.offset, extent.offset + extent.byteLength);
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch (cause) {
      throw new FormatError(`${where}: not valid UTF-8`, { cause });
    }
  }
}

/**
 * One table. Fields are named by slot (their order in the schema) and, for messages, by name; an
 * absent scalar reads as its default, an absent vector as empty, an absent string or table as
 * `undefined`.
 */
export class FlatTable {
  /** Where this table is, for messages: `pte: llama.pte: program.execution_plan[0]`. */
  readonly where: string;
  readonly #buffer: FlatBuffer;
  readonly #position: number;
  readonly #byteLength: number;
  readonly #vtable: number;
  readonly #slots: number;
  readonly #depth: number;

  constructor(buffer: FlatBuffer, position: number, where: string, depth: number) {
    if (depth > MAX_DEPTH) throw new FormatError(`${where}: more than ${MAX_DEPTH} nested tables`);
    buffer.charge(TABLE_READ_BYTES, where);
    buffer.require(position, 4, where);
    const vtable = position - buffer.view.readInt32(position);
    buffer.require(vtable, 4, where);
    const vtableBytes = buffer.view.readUint16(vtable);
    const tableBytes = buffer.view.readUint16(vtable + 2);
    if (vtableBytes < 4 || vtableBytes % 2 !== 0 || tableBytes < 4) {
      throw new FormatError(
        `${where}: a vtable of ${vtableBytes} bytes for a table of ${tableBytes}`,
      );
    }
    buffer.require(vtable, vtableBytes, where);
    buffer.require(position, tableBytes, where);
    this.where = where;
    this.#buffer = buffer;
    this.#position = position;
    this.#byteLength = tableBytes;
    this.#vtable = vtable;
    this.#slots = (vtableBytes - 4) / 2;
    this.#depth = depth;
  }

  has(slot: number): boolean {
    return slot < this.#slots && this.#buffer.view.readUint16(this.#vtable + 4 + 2 * slot) !== 0;
  }

  bool(slot: number, name: string): boolean {
    return this.u8(slot, name) !== 0;
  }

  u8(slot: number, name: string, absent = 0): number {
    const at = this.#field(slot, name, 1);
    return at === undefined ? absent : this.#buffer.view.readUint8(at);
  }

  i8(slot: number, name: string, absent = 0): number {
    const at = this.#field(slot, name, 1);
    return at === undefined ? absent : this.#buffer.view.readInt8(at);
  }

  i32(slot: number, name: string): number {
    const at = this.#field(slot, name, 4);
    return at === undefined ? 0 : this.#buffer.view.readInt32(at);
  }

  u32(slot: number, name: string): number {
    const at = this.#field(slot, name, 4);
    return at === undefined ? 0 : this.#buffer.view.readUint32(at);
  }

  i64(slot: number, name: string): bigint {
    const at = this.#field(slot, name, 8);
    return at === undefined ? 0n : this.#buffer.view.readInt64(at);
  }

  u64(slot: number, name: string): bigint {
    const at = this.#field(slot, name, 8);
    return at === undefined ? 0n : this.#buffer.view.readUint64(at);
  }

  f64(slot: number, name: string): number {
    const at = this.#field(slot, name, 8);
    return at === undefined ? 0 : this.#buffer.view.readFloat64(at);
  }

  string(slot: number, name: string): string | undefined {
    const where = `${this.where}.${name}`;
    const extent = this.extent(slot, name, 1);
    if (extent === undefined) return undefined;
    if (extent.byteLength > MAX_STRING_BYTES) {
      throw new FormatError(
        `${where}: a string of ${extent.byteLength} bytes; at most ${MAX_STRING_BYTES} are read`,
      );
    }
    this.#buffer.charge(extent.byteLength, where);
    return this.#buffer.utf8(extent, where);
  }

  /** A string that must be there and not be empty. */
  requiredString(slot: number, name: string): string {
    const text = this.string(slot, name);
    if (text === undefined || text === "") throw new FormatError(`${this.where}.${name}: missing`);
    return text;
  }

  table(slot: number, name: string): FlatTable | undefined {
    const at = this.#target(slot, name);
    if (at === undefined) return undefined;
    return new FlatTable(this.#buffer, at, `${this.where}.${name}`, this.#depth + 1);
  }

  /** A table that must be there. */
  requiredTable(slot: number, name: string): FlatTable {
    const table = this.table(slot, name);
    if (table === undefined) throw new FormatError(`${this.where}.${name}: missing`);
    return table;
  }

  /** A union: its type in `slot`, its table in the slot after. */
  union(slot: number, name: string): FlatUnion {
    const type = this.u8(slot, `${name}_type`);
    return { type, table: this.requiredTable(slot + 1, name) };
  }

  tables(slot: number, name: string): FlatTable[] {
    const { offset, count } = this.#vector(slot, name, 4);
    const tables: FlatTable[] = [];
    for (let i = 0; i < count; i++) {
      const at = offset + 4 * i;
      const where = `${this.where}.${name}[${i}]`;
      tables.push(
        new FlatTable(this.#buffer, at + this.#buffer.view.readUint32(at), where, this.#depth + 1),
      );
    }
    return tables;
  }

  bytes(slot: number, name: string): Uint8Array {
    const { offset, count } = this.#vector(slot, name, 1);
    return this.#buffer.bytes({ offset, byteLength: count });
  }

  bools(slot: number, name: string): boolean[] {
    return this.#scalars(slot, name, 1, (view, at) => view.readUint8(at) !== 0);
  }

  i32s(slot: number, name: string): number[] {
    return this.#scalars(slot, name, 4, (view, at) => view.readInt32(at));
  }

  u32s(slot: number, name: string): number[] {
    return this.#scalars(slot, name, 4, (view, at) => view.readUint32(at));
  }

  i64s(slot: number, name: string): bigint[] {
    return this.#scalars(slot, name, 8, (view, at) => view.readInt64(at));
  }

  u64s(slot: number, name: string): bigint[] {
    return this.#scalars(slot, name, 8, (view, at) => view.readUint64(at));
  }

  f64s(slot: number, name: string): number[] {
    return this.#scalars(slot, name, 8, (view, at) => view.readFloat64(at));
  }

  /** Where a vector's elements are, without reading them. */
  extent(slot: number, name: string, elementBytes = 1): Extent | undefined {
    const at = this.#target(slot, name);
    if (at === undefined) return undefined;
    const where = `${this.where}.${name}`;
    this.#buffer.require(at, 4, where);
    const byteLength = this.#buffer.view.readUint32(at) * elementBytes;
    this.#buffer.require(at + 4, byteLength, where);
    return { offset: at + 4, byteLength };
  }

  #scalars<T>(
    slot: number,
    name: string,
    elementBytes: number,
    decode: (view: ByteBuffer, at: number) => T,
  ): T[] {
    const { offset, count } = this.#vector(slot, name, elementBytes);
    const items: T[] = [];
    for (let i = 0; i < count; i++)
      items.push(decode(this.#buffer.view, offset + elementBytes * i));
    return items;
  }

  #vector(slot: number, name: string, elementBytes: number): { offset: number; count: number } {
    const extent = this.extent(slot, name, elementBytes);
    if (extent === undefined) return { offset: 0, count: 0 };
    this.#buffer.charge(extent.byteLength, `${this.where}.${name}`);
    return { offset: extent.offset, count: extent.byteLength / elementBytes };
  }

  /** The position an offset field points at. */
  #target(slot: number, name: string): number | undefined {
    const at = this.#field(slot, name, 4);
    return at === undefined ? undefined : at + this.#buffer.view.readUint32(at);
  }

  #field(slot: number, name: string, byteLength: number): number | undefined {
    if (slot >= this.#slots) return undefined;
    const offset = this.#buffer.view.readUint16(this.#vtable + 4 + 2 * slot);
    if (offset === 0) return undefined;
    if (offset < 4 || offset + byteLength > this.#byteLength) {
      throw new FormatError(
        `${this.where}.${name}: at byte ${offset} of a table of ${this.#byteLength}`,
      );
    }
    return this.#position + offset;
  }
}
