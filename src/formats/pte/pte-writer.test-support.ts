/** Small programs, delegates and data files for tests, and byte sources to read them from. */
import { readFileSync } from "node:fs";
import type { ByteSource } from "../../byte-source.ts";
import { FormatError } from "../../errors.ts";
import {
  bytes,
  flatbuffer,
  i32,
  i32s,
  i64,
  string,
  table,
  tables,
  u8,
} from "./flatbuffer-writer.test-support.ts";
import type { Field, Written } from "./flatbuffer-writer.test-support.ts";

import type { Method } from "./program.ts";
import { readProgram } from "./read-program.ts";

/** A source in memory that counts the bytes read from it. */
export interface CountingSource extends ByteSource {
  readonly bytesRead: number;
}

export function memorySource(data: Uint8Array, name = "test.pte"): CountingSource {
  let bytesRead = 0;
  return {
    name,
    byteLength: data.length,
    get bytesRead() {
      return bytesRead;
    },
    async read(offset, length, signal) {
      signal?.throwIfAborted();
      if (offset + length > data.length) throw new FormatError(`${name}: past the end`);
      bytesRead += length;
      return data.slice(offset, offset + length);
    },
    async close() {},
  };
}

const fixtureUrl = (path: string): URL => new URL(`../../../${path}`, import.meta.url);

/** A file of the repository. */
export function fixtureBytes(path: string): Uint8Array {
  return new Uint8Array(readFileSync(fixtureUrl(path)));
}

export function fixture(path: string): CountingSource {
  return memorySource(fixtureBytes(path), path);
}

/** A file of f32 values. */
export function fixtureFloats(path: string): Float32Array {
  return new Float32Array(fixtureBytes(path).buffer);
}

export function floatBytes(values: readonly number[]): Uint8Array {
  return new Uint8Array(new Float32Array(values).buffer);
}

/** A union field in two slots, for `table({ ...union(0, 2, value) })`. */
export function union(slot: number, type: number, value: Written): Record<number, Field> {
  return { [slot]: u8(type), [slot + 1]: value };
}

/** Part of an execution plan; what is left out is empty. */
export interface PlanParts {
  readonly name?: string;
  readonly values?: readonly Written[];
  readonly inputs?: readonly number[];
  readonly outputs?: readonly number[];
  readonly instructions?: readonly Written[];
  readonly operators?: readonly string[];
  readonly delegates?: readonly Written[];
  readonly pools?: Written;
}

export function plan(parts: PlanParts): Written {
  return table({
    0: string(parts.name ?? "forward"),
    2: tables(parts.values ?? []),
    3: i32s(parts.inputs ?? []),
    4: i32s(parts.outputs ?? []),
    5: tables([table({ 2: tables(parts.instructions ?? []) })]),
    6: tables((parts.operators ?? []).map((name) => table({ 0: string(name) }))),
    7: tables(parts.delegates ?? []),
    8: parts.pools,
  });
}

/** A program's flatbuffer; further fields of the root by slot. */
export function program(
  plans: readonly Written[],
  fields: Readonly<Record<number, Field>> = {},
): Uint8Array {
  return flatbuffer(table({ 1: tables(plans), ...fields }), "ET12");
}

export const value = (type: number, fields: Readonly<Record<number, Field>> = {}): Written =>
  table(union(0, type, table(fields)));

export const instruction = value;

/** A program value: a tensor, f32 [2] and bound by the caller, with these fields instead. */
export const floatTensor = (fields: Readonly<Record<number, Field>>): Written =>
  value(5, { 0: u8(6), 2: i32s([2]), 3: bytes([0]), ...fields });

/** The method `forward` of a program without segments. */
export async function readForward(
  parts: PlanParts,
  fields?: Readonly<Record<number, Field>>,
): Promise<Method> {
  const { methods } = await readProgram(memorySource(program([plan(parts)], fields)));
  const method = methods.get("forward");
  if (method === undefined) throw new Error("no method forward");
  return method;
}

/** A `BackendDelegate` whose blob is inline (0) or in a segment (1). */
export function delegateEntry(location: number, index: number, id = "VulkanBackend"): Written {
  return table({ 0: string(id), 1: table({ 0: u8(location), 1: i32(index) }) });
}

const SEGMENT_ALIGNMENT = 128;

/** Where each segment of these lengths is placed, and where the last ends. */
function layOut(segments: readonly Uint8Array[]): { offsets: number[]; end: number } {
  const offsets: number[] = [];
  let end = 0;
  for (const segment of segments) {
    offsets.push(Math.ceil(end / SEGMENT_ALIGNMENT) * SEGMENT_ALIGNMENT);
    end = (offsets.at(-1) as number) + segment.length;
  }
  return { offsets, end };
}

/** `segments` for the root of a program or data file. */
export function segmentTables(segments: readonly Uint8Array[]): Written {
  const { offsets } = layOut(segments);
  return tables(
    segments.map((segment, i) =>
      table({ 0: i64(BigInt(offsets[i] as number)), 1: i64(BigInt(segment.length)) }),
    ),
  );
}

/** Makes room for a header at byte 8 and appends segments, as exporters do. */
function withSegments(
  body: Uint8Array,
  headerBytes: number,
  segments: readonly Uint8Array[],
  header: (view: DataView, programBytes: number, base: number, areaBytes: number) => void,
): Uint8Array {
  const { offsets, end } = layOut(segments);
  const programBytes = body.length + headerBytes;
  const base = Math.ceil(programBytes / SEGMENT_ALIGNMENT) * SEGMENT_ALIGNMENT;
  const file = new Uint8Array(base + end);
  file.set(body.subarray(0, 8));
  file.set(body.subarray(8), 8 + headerBytes);
  const view = new DataView(file.buffer);
  view.setUint32(0, view.getUint32(0, true) + headerBytes, true);
  header(view, programBytes, base, end);
  for (const [i, segment] of segments.entries()) file.set(segment, base + (offsets[i] as number));
  return file;
}

/** A `.pte` file with the extended header. */
export function pteFile(body: Uint8Array, segments: readonly Uint8Array[]): Uint8Array {
  return withSegments(body, 32, segments, (view, programBytes, base, areaBytes) => {
    view.setUint32(8, ascii("eh00"), true);
    view.setUint32(12, 32, true);
    view.setBigUint64(16, BigInt(programBytes), true);
    view.setBigUint64(24, BigInt(base), true);
    view.setBigUint64(32, BigInt(areaBytes), true);
  });
}

/** A `.ptd` file with one entry a name. */
export function ptdFile(
  entries: Readonly<Record<string, Uint8Array>>,
  layout?: Written,
): Uint8Array {
  const segments = Object.values(entries);
  const names = Object.keys(entries).map((name, i) =>
    table({ 0: string(name), 1: i32(i), 2: layout }),
  );
  const body = flatbuffer(table({ 1: segmentTables(segments), 2: tables(names) }), "FT01");
  // 40 bytes of header, padded so that the body stays aligned to 16.
  return withSegments(body, 48, segments, (view, tableBytes, base, areaBytes) => {
    view.setUint32(8, ascii("FH01"), true);
    view.setUint32(12, 40, true);
    view.setBigUint64(16, 48n, true);
    view.setBigUint64(24, BigInt(tableBytes - 48), true);
    view.setBigUint64(32, BigInt(base), true);
    view.setBigUint64(40, BigInt(areaBytes), true);
  });
}

/** Parts of a delegate's graph; what is left out is empty. */
export interface GraphParts {
  readonly chain?: readonly Written[];
  readonly values?: readonly Written[];
  readonly inputs?: readonly number[];
  readonly outputs?: readonly number[];
  readonly constants?: readonly Written[];
}

/** A delegate blob: header, graph, and the bytes of constants that have no name. */
export function delegateBlob(
  parts: GraphParts,
  inline: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const graph = flatbuffer(
    table({
      0: string("0"),
      1: tables(parts.chain ?? []),
      2: tables(parts.values ?? []),
      3: i32s(parts.inputs ?? []),
      4: i32s(parts.outputs ?? []),
      5: tables(parts.constants ?? []),
    }),
    "VK00",
  );
  const constantsOffset = Math.ceil((32 + graph.length) / 16) * 16;
  const blob = new Uint8Array(constantsOffset + inline.length);
  const view = new DataView(blob.buffer);
  view.setUint32(4, ascii("VH00"), true);
  view.setUint16(8, 30, true);
  view.setUint32(10, 32, true);
  view.setUint32(14, graph.length, true);
  view.setUint32(18, constantsOffset, true);
  view.setBigUint64(22, BigInt(inline.length), true);
  blob.set(graph, 32);
  blob.set(inline, constantsOffset);
  return blob;
}

/** `VkBytes` of a constant in the blob. */
export const inlineConstant = (offset: number, length: number): Written =>
  table({ 0: i64(BigInt(offset)), 1: i64(BigInt(length)) });

/** `VkBytes` of a constant in named data. */
export const namedConstant = (key: string, length: number): Written =>
  table({ 0: i64(-1n), 1: i64(BigInt(length)), 2: string(key) });

/** A `BackendDelegateInlineData` or `Buffer`. */
export const inlineBytes = (data: Uint8Array): Written => table({ 0: bytes(data) });

function ascii(text: string): number {
  return new DataView(new TextEncoder().encode(text).buffer).getUint32(0, true);
}
