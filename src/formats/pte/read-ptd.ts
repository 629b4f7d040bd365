/** A `.ptd` file: tensor data outside a program, by name. */
import type { ByteSource } from "../../byte-source.ts";
import { FormatError, UnsupportedError } from "../../errors.ts";
import type { ByteRange, NamedData } from "./byte-range.ts";
import { at, subRange, toSafeNumber } from "./checks.ts";
import { scalarType, tensorByteLength } from "./element-types.ts";
import type { ScalarType } from "./element-types.ts";
import { FlatBuffer } from "./flatbuffer.ts";
import type { FlatTable } from "./flatbuffer.ts";
import { MAX_PROGRAM_BYTES, readSegments, uniqueMap } from "./read-program.ts";

/** Identifier and header: 8 + 40 bytes. */
const HEAD_BYTES = 48;

/** Type and shape of an entry, where the exporter wrote them. */
export interface TensorLayout {
  readonly type: ScalarType;
  readonly sizes: readonly number[];
  readonly dimOrder: readonly number[];
}

export interface PtdFile {
  readonly source: ByteSource;
  /** Where each entry's bytes are. Join several files' and the program's for `readDelegate`. */
  readonly namedData: NamedData;
  readonly layouts: ReadonlyMap<string, TensorLayout>;
}

/**
 * Reads a `.ptd` file's tables; the data stays in the file.
 * Throws `FormatError`, or `UnsupportedError` for what this reader does not know.
 */
export async function readPtd(source: ByteSource, signal?: AbortSignal): Promise<PtdFile> {
  const where = `ptd: ${source.name}`;
  const head = await source.read(0, Math.min(HEAD_BYTES, source.byteLength), signal);
  const { tableBytes, segmentArea } = readHeader(head, source, where);
  if (tableBytes > MAX_PROGRAM_BYTES) {
    throw new UnsupportedError(
      `${where}: tables of ${tableBytes} bytes; at most ${MAX_PROGRAM_BYTES} are supported`,
    );
  }
  const root = new FlatBuffer(await source.read(0, tableBytes, signal), where).root();
  const segments = readSegments(root.tables(1, "segments"), segmentArea);
  const entries = root.tables(2, "named_data").map((table) => {
    const key = table.requiredString(0, "key");
    const range = at(segments, table.u32(1, "segment_index"), table.where, "segment");
    return { key, range, layout: readLayout(table, range), where: table.where };
  });
  return {
    source,
    namedData: uniqueMap(entries.map(({ key, range, where }) => [key, range, where])),
    layouts: new Map(entries.flatMap(({ key, layout }) => (layout ? [[key, layout]] : []))),
  };
}

function readHeader(
  head: Uint8Array,
  source: ByteSource,
  where: string,
): { tableBytes: number; segmentArea: ByteRange } {
  const text = (offset: number): string =>
    String.fromCharCode(...head.subarray(offset, offset + 4));
  if (head.length < HEAD_BYTES || text(4) !== "FT01" || text(8) !== "FH01") {
    throw new FormatError(`${where}: not a .ptd file: no "FT01" at byte 4 and "FH01" at byte 8`);
  }
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const u64 = (offset: number, name: string): number =>
    toSafeNumber(view.getBigUint64(offset, true), `${where}: ${name}`);
  const headerBytes = view.getUint32(12, true);
  if (headerBytes < HEAD_BYTES - 8) {
    throw new FormatError(`${where}: a header of ${headerBytes} bytes; at least 40 are needed`);
  }
  const file: ByteRange = { source, offset: 0, byteLength: source.byteLength };
  const tables = subRange(
    file,
    u64(16, "flatbuffer offset"),
    u64(24, "flatbuffer size"),
    `${where}: flatbuffer`,
  );
  const segmentBase = u64(32, "segment base");
  const segmentBytes = u64(40, "segment data size");
  return {
    tableBytes: tables.offset + tables.byteLength,
    segmentArea: subRange(file, segmentBase, segmentBytes, `${where}: segments`),
  };
}

function readLayout(entry: FlatTable, range: ByteRange): TensorLayout | undefined {
  const table = entry.table(2, "tensor_layout");
  if (table === undefined) return undefined;
  const type = scalarType(table.i8(0, "scalar_type"), table.where);
  const sizes = table.i32s(1, "sizes");
  const byteLength = tensorByteLength(type, sizes, table.where);
  if (byteLength > range.byteLength) {
    throw new FormatError(
      `${table.where}: ${type} [${sizes.join(", ")}] takes ${byteLength} bytes of ${range.byteLength}`,
    );
  }
  return { type, sizes, dimOrder: [...table.bytes(2, "dim_order")] };
}
