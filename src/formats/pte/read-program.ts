/** Bytes of a `.pte` file → `Program`: header, segments and the tables that methods refer to. */
import type { ByteSource } from "../../byte-source.ts";
import { FormatError, RequestError, UnsupportedError } from "../../errors.ts";
import { readRange } from "./byte-range.ts";
import type { ByteRange } from "./byte-range.ts";
import { at, subRange, toSafeNumber } from "./checks.ts";
import { FlatBuffer } from "./flatbuffer.ts";
import type { FlatTable } from "./flatbuffer.ts";
import type { Program, TensorDataTables } from "./program.ts";
import { readMethod } from "./read-method.ts";

/** Bytes read first: identifier and header. */
const HEAD_BYTES = 64;

/** Header fields end here: with the size of the segment area, or without in older files. */
const HEADER_BYTES = 32;
const MIN_HEADER_BYTES = 24;

/**
 * Largest flatbuffer held in memory. A 16-layer program has less than a megabyte, but programs
 * without segments carry their weights inside.
 */
export const MAX_PROGRAM_BYTES = 2 ** 30;

interface Header {
  readonly programBytes: number;
  /** The segment area; undefined where the file has none. */
  readonly segmentArea: ByteRange | undefined;
}

/**
 * Reads a program's tables. Weights and delegates stay in the file: keep `source` open for as long
 * as they are read. Throws `FormatError`, or `UnsupportedError` for what this reader does not know.
 */
export async function readProgram(source: ByteSource, signal?: AbortSignal): Promise<Program> {
  const where = `pte: ${source.name}`;
  const head = await source.read(0, Math.min(HEAD_BYTES, source.byteLength), signal);
  checkIdentifier(head, where);
  const header = readHeader(head, source, where);
  if (header.programBytes > MAX_PROGRAM_BYTES) {
    throw new UnsupportedError(
      `${where}: a program of ${header.programBytes} bytes; at most ${MAX_PROGRAM_BYTES} are supported`,
    );
  }
  const bytes = await source.read(0, header.programBytes, signal);
  const root = new FlatBuffer(bytes, `${where}: program`).root();
  return readTables(root, source, header);
}

function checkIdentifier(head: Uint8Array, where: string): void {
  const identifier = head.length < 8 ? "" : ascii(head, 4);
  if (identifier === "ET12") return;
  if (/^ET[0-9A-Za-z]{2}$/.test(identifier)) {
    throw new UnsupportedError(
      `${where}: program format ${identifier} is not supported, only ET12`,
    );
  }
  throw new FormatError(`${where}: not an ExecuTorch program: no "ET12" at byte 4`);
}

/** The extended header, or what stands for it: a program without segments fills its file. */
function readHeader(head: Uint8Array, source: ByteSource, where: string): Header {
  const fileBytes = source.byteLength;
  if (head.length < 8 + MIN_HEADER_BYTES || ascii(head, 8) !== "eh00") {
    return { programBytes: fileBytes, segmentArea: undefined };
  }
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const headerBytes = view.getUint32(12, true);
  if (headerBytes < MIN_HEADER_BYTES) {
    throw new FormatError(`${where}: a header of ${headerBytes} bytes; at least 24 are needed`);
  }
  const programBytes = toSafeNumber(view.getBigUint64(16, true), `${where}: program size`);
  if (programBytes < 8 + headerBytes || programBytes > fileBytes) {
    throw new FormatError(`${where}: a program of ${programBytes} bytes in a file of ${fileBytes}`);
  }
  const offset = toSafeNumber(view.getBigUint64(24, true), `${where}: segment base`);
  if (offset === 0) return { programBytes, segmentArea: undefined };
  if (offset < programBytes || offset > fileBytes) {
    throw new FormatError(
      `${where}: segments at byte ${offset} of ${fileBytes}, after a program of ${programBytes}`,
    );
  }
  const file: ByteRange = { source, offset: 0, byteLength: fileBytes };
  const areaBytes =
    headerBytes >= HEADER_BYTES && head.length >= 40
      ? toSafeNumber(view.getBigUint64(32, true), `${where}: segment data size`)
      : fileBytes - offset;
  return { programBytes, segmentArea: subRange(file, offset, areaBytes, `${where}: segments`) };
}

function readTables(root: FlatTable, source: ByteSource, header: Header): Program {
  const segments = readSegments(root.tables(4, "segments"), header.segmentArea);
  const inlineDelegates = inlineData(root.tables(3, "backend_delegate_data"), "data", source);
  const context = { segments, inlineDelegates, data: tensorDataTables(root, segments, source) };
  const methods = root
    .tables(1, "execution_plan")
    .map((plan) => ({ where: plan.where, method: readMethod(plan, context) }));
  return {
    source,
    version: root.u32(0, "version"),
    methods: uniqueMap(methods.map(({ where, method }) => [method.name, method, where])),
    segments,
    namedData: uniqueMap(
      root.tables(7, "named_data").map((entry) => {
        const index = entry.u32(1, "segment_index");
        const segment = at(segments, index, entry.where, "segment");
        return [entry.requiredString(0, "key"), segment, entry.where];
      }),
    ),
    async readSegment(index, offset, length, signal) {
      const segment = segments[index];
      if (segment === undefined) {
        throw new RequestError(
          `pte: ${source.name}: segment ${index}, but there are ${segments.length}`,
        );
      }
      return readRange(segment, offset, length, signal);
    },
  };
}

/** Segments by their offsets in the segment area. */
export function readSegments(
  tables: readonly FlatTable[],
  area: ByteRange | undefined,
): ByteRange[] {
  return tables.map((table) => {
    if (area === undefined) {
      throw new FormatError(`${table.where}: the file's header says that it has no segments`);
    }
    const offset = toSafeNumber(table.u64(0, "offset"), `${table.where}.offset`);
    const size = toSafeNumber(table.u64(1, "size"), `${table.where}.size`);
    return subRange(area, offset, size, table.where);
  });
}

/** A map whose keys may occur once. */
export function uniqueMap<T>(
  entries: readonly (readonly [key: string, value: T, where: string])[],
): ReadonlyMap<string, T> {
  const map = new Map<string, T>();
  for (const [key, value, where] of entries) {
    if (map.has(key)) throw new FormatError(`${where}: "${key}" occurs twice`);
    map.set(key, value);
  }
  return map;
}

/** Vectors inside the flatbuffer as ranges of the file, which starts with it. */
function inlineData(tables: readonly FlatTable[], name: string, source: ByteSource): ByteRange[] {
  return tables.map((table) => ({
    source,
    ...(table.extent(0, name) ?? { offset: 0, byteLength: 0 }),
  }));
}

/** Constants and initial values, as tensors refer to them. */
function tensorDataTables(
  root: FlatTable,
  segments: readonly ByteRange[],
  source: ByteSource,
): TensorDataTables {
  const inline = inlineData(root.tables(2, "constant_buffer"), "storage", source);
  const constantTable = root.table(5, "constant_segment");
  const constants = constantTable && readOffsets(constantTable, segments);
  const mutableSets = root
    .tables(6, "mutable_data_segments")
    .map((table) => readOffsets(table, segments));
  return {
    constant(index, byteLength, where) {
      if (constants === undefined || constants.length === 0) {
        return subRange(at(inline, index, where, "constant"), 0, byteLength, where);
      }
      return subRange(at(constants, index, where, "constant"), 0, byteLength, where);
    },
    mutable(set, index, byteLength, where) {
      const ranges = at(mutableSets, set, where, "mutable data segment");
      return subRange(at(ranges, index, where, "initial value"), 0, byteLength, where);
    },
  };
}

/** What follows each offset in a segment: the tables do not say where an item ends. */
function readOffsets(table: FlatTable, segments: readonly ByteRange[]): ByteRange[] {
  const index = table.u32(0, "segment_index");
  const offsets = table.u64s(1, "offsets");
  if (offsets.length === 0) return [];
  const segment = at(segments, index, table.where, "segment");
  return offsets.map((value) => {
    const offset = toSafeNumber(value, table.where);
    return subRange(segment, offset, Math.max(0, segment.byteLength - offset), table.where);
  });
}

function ascii(bytes: Uint8Array, offset: number): string {
  return String.fromCharCode(...bytes.subarray(offset, offset + 4));
}
