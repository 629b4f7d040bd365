/** A VulkanBackend delegate blob (`VH00` header, `VK00` flatbuffer) → `VkGraph`. */
import { FormatError, UnsupportedError } from "../../errors.ts";
import { readRange } from "./byte-range.ts";
import type { ByteRange, NamedData } from "./byte-range.ts";
import { at, checkIndex, subRange, toSafeNumber } from "./checks.ts";
import { tensorByteLength, vkDataType } from "./element-types.ts";
import { FlatBuffer } from "./flatbuffer.ts";
import type { FlatTable } from "./flatbuffer.ts";
import type { VkConstant, VkGraph, VkTensor, VkValue } from "./vk-graph.ts";

/** The header's fields end at byte 30. */
const HEADER_BYTES = 30;

/** Largest graph. One of 16 layers has 0.3 MB: weights are not in it. */
export const MAX_GRAPH_BYTES = 1 << 26;

/** `VkBytes.offset` of a constant that is named data. */
const NAMED_OFFSET = 0xffff_ffff_ffff_ffffn;

/** `VkTensor.staging_datatype` that means none. */
const UNSET_TYPE = 127;

interface BlobHeader {
  readonly graph: ByteRange;
  /** Where constants that have no name are. */
  readonly constants: ByteRange;
}

/**
 * Reads the graph of a delegate. Constants stay where they are, as ranges of the program's file, or
 * of a `.ptd` file's where `namedData` joins those.
 * Throws `FormatError`, or `UnsupportedError` for what this reader does not know.
 */
export async function readDelegate(
  blob: ByteRange,
  namedData: NamedData,
  signal?: AbortSignal,
): Promise<VkGraph> {
  const where = `pte: ${blob.source.name}: delegate at byte ${blob.offset}`;
  const head = await readRange(blob, 0, Math.min(HEADER_BYTES, blob.byteLength), signal);
  const header = readHeader(head, blob, where);
  if (header.graph.byteLength > MAX_GRAPH_BYTES) {
    throw new UnsupportedError(
      `${where}: a graph of ${header.graph.byteLength} bytes; at most ${MAX_GRAPH_BYTES} are supported`,
    );
  }
  const buffer = new FlatBuffer(await readRange(header.graph, 0, undefined, signal), where);
  const identifier = buffer.identifier();
  if (identifier !== "VK00") {
    throw new FormatError(`${where}: graph identifier "${identifier}", expected "VK00"`);
  }
  return readGraph(buffer.root(), header.constants, namedData);
}

function readHeader(head: Uint8Array, blob: ByteRange, where: string): BlobHeader {
  if (head.length < HEADER_BYTES || String.fromCharCode(...head.subarray(4, 8)) !== "VH00") {
    throw new FormatError(`${where}: no "VH00" at byte 4: not a Vulkan delegate`);
  }
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const headerBytes = view.getUint16(8, true);
  const graphOffset = view.getUint32(10, true);
  const graphBytes = view.getUint32(14, true);
  const constantsOffset = view.getUint32(18, true);
  const constantsBytes = toSafeNumber(view.getBigUint64(22, true), `${where}: constants`);
  if (headerBytes < HEADER_BYTES || graphOffset < headerBytes) {
    throw new FormatError(
      `${where}: a header of ${headerBytes} bytes and a graph at byte ${graphOffset}`,
    );
  }
  if (graphBytes === 0 || constantsOffset < graphOffset + graphBytes) {
    throw new FormatError(
      `${where}: a graph of ${graphBytes} bytes at byte ${graphOffset}, constants at ${constantsOffset}`,
    );
  }
  const graph = subRange(blob, graphOffset, graphBytes, `${where}: graph`);
  // A size of 0 means "the rest" to upstream's reader.
  const length = constantsBytes || Math.max(0, blob.byteLength - constantsOffset);
  const offset = length === 0 ? Math.min(constantsOffset, blob.byteLength) : constantsOffset;
  return { graph, constants: subRange(blob, offset, length, `${where}: constants`) };
}

/** Shaders (slot 6) and storage overrides (7, 8) concern other runtimes. */
function readGraph(root: FlatTable, region: ByteRange, namedData: NamedData): VkGraph {
  const constants = root
    .tables(5, "constants")
    .map((table) => readConstant(table, region, namedData));
  const entries = root.tables(2, "values");
  const values = entries.map((entry) => readValue(entry, entries.length, constants));
  checkLists(values, root.where);
  const chain = root.tables(1, "chain").map((table) => ({
    nodeId: table.u32(0, "node_id"),
    name: table.requiredString(1, "name"),
    args: indices(table.i32s(2, "args"), values.length, `${table.where}.args`),
  }));
  return {
    chain,
    values,
    inputIds: boundaryIds(root.u32s(3, "input_ids"), values, `${root.where}.input_ids`),
    outputIds: boundaryIds(root.u32s(4, "output_ids"), values, `${root.where}.output_ids`),
    constants,
  };
}

function readConstant(table: FlatTable, region: ByteRange, namedData: NamedData): VkConstant {
  const { where } = table;
  const offset = table.u64(0, "offset");
  const byteLength = toSafeNumber(table.u64(1, "length"), `${where}.length`);
  if (offset !== NAMED_OFFSET) {
    const start = toSafeNumber(offset, `${where}.offset`);
    return { key: undefined, range: subRange(region, start, byteLength, where) };
  }
  const key = table.requiredString(2, "named_key");
  const range = namedData.get(key);
  if (range === undefined) {
    throw new FormatError(
      `${where}: no data named "${key}" in the program, nor in the .ptd files given with it`,
    );
  }
  return { key, range: subRange(range, 0, byteLength, where) };
}

/** The numbers of `GraphTypes`, which differ from those of a program's values. */
function readValue(
  entry: FlatTable,
  valueCount: number,
  constants: readonly VkConstant[],
): VkValue {
  const { type, table } = entry.union(0, "value");
  switch (type) {
    case 1:
      return { kind: "null" };
    case 2:
      return { kind: "int", value: table.i64(0, "int_val") };
    case 3:
      return { kind: "double", value: table.f64(0, "double_val") };
    case 4:
      return { kind: "bool", value: table.bool(0, "bool_val") };
    case 5:
      return readTensor(table, constants);
    case 6:
      return { kind: "intList", items: table.i64s(0, "items") };
    case 7:
      return { kind: "doubleList", items: table.f64s(0, "items") };
    case 8:
      return { kind: "boolList", items: table.bools(0, "items") };
    case 9: {
      const items = table.i32s(0, "items");
      return { kind: "valueList", items: indices(items, valueCount, `${table.where}.items`) };
    }
    case 10:
      return { kind: "string", value: table.string(0, "string_val") ?? "" };
    case 11:
      return { kind: "symInt", value: table.i32(0, "value") };
    default:
      throw new UnsupportedError(
        `${entry.where}: value type ${type} is not supported; supported: 1 to 11`,
      );
  }
}

/** Ids that are absent read as 0, a valid id: "none" is stored as -1. */
function readTensor(table: FlatTable, constants: readonly VkConstant[]): VkTensor {
  const { where } = table;
  const type = vkDataType(table.i8(0, "datatype"), where);
  const dims = table.u32s(1, "dims");
  const byteLength = tensorByteLength(type, dims, where);
  const constantId = table.i32(2, "constant_id");
  if (constantId >= 0) {
    const { range } = at(constants, constantId, where, "constant");
    if (range.byteLength < byteLength) {
      throw new FormatError(
        `${where}: a constant of ${range.byteLength} bytes for ${type} [${dims.join(", ")}], ` +
          `which takes ${byteLength}`,
      );
    }
  }
  const memoryObjectId = table.i32(3, "mem_obj_id");
  const staging = table.i8(6, "staging_datatype", UNSET_TYPE);
  return {
    kind: "tensor",
    type,
    dims,
    constantId: constantId < 0 ? undefined : constantId,
    memoryObjectId: memoryObjectId < 0 ? undefined : memoryObjectId,
    stagingType: staging === UNSET_TYPE ? undefined : vkDataType(staging, where),
  };
}

/** Lists of lists could contain themselves, and no operator takes them. */
function checkLists(values: readonly VkValue[], where: string): void {
  for (const [index, value] of values.entries()) {
    if (value.kind !== "valueList") continue;
    if (value.items.some((item) => values[item]?.kind === "valueList")) {
      throw new UnsupportedError(
        `${where}.values[${index}]: lists of lists are not supported, only lists of values`,
      );
    }
  }
}

function boundaryIds(ids: readonly number[], values: readonly VkValue[], where: string): number[] {
  return ids.map((id) => {
    const { kind } = at(values, id, where, "value");
    if (kind !== "tensor" && kind !== "symInt") {
      throw new FormatError(`${where}: value ${id} is a ${kind}; expected a tensor or a SymInt`);
    }
    return id;
  });
}

function indices(items: readonly number[], count: number, where: string): readonly number[] {
  for (const item of items) checkIndex(item, count, where, "value");
  return items;
}
