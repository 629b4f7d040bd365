/** One `EValue` of a program → `ProgramValue`. */
import { FormatError, UnsupportedError } from "../../errors.ts";
import { at, checkIndex, toSafeNumber } from "./checks.ts";
import { MAX_RANK, scalarType, tensorByteLength } from "./element-types.ts";
import type { FlatTable } from "./flatbuffer.ts";
import type {
  Dynamism,
  ProgramTensor,
  ProgramValue,
  TensorData,
  TensorDataTables,
} from "./program.ts";

/** What values refer to. */
export interface ValueContext {
  readonly valueCount: number;
  readonly poolByteLengths: readonly number[];
  readonly data: TensorDataTables;
}

const DYNAMISMS: readonly Dynamism[] = ["static", "bounded", "unbounded"];

/** Reads an `EValue`. Throws `UnsupportedError` for a type of value it does not know. */
export function readProgramValue(entry: FlatTable, context: ValueContext): ProgramValue {
  const { type, table } = entry.union(0, "val");
  const indices = (items: readonly number[]): readonly number[] => {
    for (const index of items) checkIndex(index, context.valueCount, table.where, "value");
    return items;
  };
  switch (type) {
    case 1:
      return { kind: "null" };
    case 2:
      return { kind: "int", value: table.i64(0, "int_val") };
    case 3:
      return { kind: "bool", value: table.bool(0, "bool_val") };
    case 4:
      return { kind: "double", value: table.f64(0, "double_val") };
    case 5:
      return readTensor(table, context);
    case 6:
      return { kind: "string", value: table.string(0, "string_val") ?? "" };
    case 7: {
      const items = table.i64s(0, "items").map((item) => toSafeNumber(item, table.where));
      return { kind: "intList", items: indices(items) };
    }
    case 8:
      return { kind: "doubleList", items: table.f64s(0, "items") };
    case 9:
      return { kind: "boolList", items: table.bools(0, "items") };
    case 10:
      return { kind: "tensorList", items: indices(table.i32s(0, "items")) };
    case 11: {
      const items = table.i32s(0, "items").map((item) => (item === -1 ? undefined : item));
      indices(items.filter((item) => item !== undefined));
      return { kind: "optionalTensorList", items };
    }
    default:
      throw new UnsupportedError(
        `${entry.where}: value type ${type} is not supported; supported: 1 to 11`,
      );
  }
}

function readTensor(table: FlatTable, context: ValueContext): ProgramTensor {
  const { where } = table;
  const type = scalarType(table.i8(0, "scalar_type"), where);
  const sizes = table.i32s(2, "sizes");
  const byteLength = tensorByteLength(type, sizes, where);
  const dimOrder = [...table.bytes(3, "dim_order")];
  checkPermutation(dimOrder, sizes.length, where);
  const storageOffset = table.i32(1, "storage_offset");
  if (storageOffset !== 0) {
    throw new UnsupportedError(
      `${where}: storage offset ${storageOffset} is not supported, only 0`,
    );
  }
  const dynamismNumber = table.i8(8, "shape_dynamism");
  const dynamism = DYNAMISMS[dynamismNumber];
  if (dynamism === undefined) {
    throw new UnsupportedError(
      `${where}: shape dynamism ${dynamismNumber} is not supported; supported: 0 to 2`,
    );
  }
  // Sizes that are not bounds say nothing about the bytes behind the tensor.
  const neededBytes = dynamism === "unbounded" ? 0 : byteLength;
  return {
    kind: "tensor",
    type,
    sizes,
    dimOrder,
    dynamism,
    data: readTensorData(table, neededBytes, context),
  };
}

function checkPermutation(dimOrder: readonly number[], rank: number, where: string): void {
  const valid = dimOrder.length === rank && new Set(dimOrder).size === rank;
  if (!valid || dimOrder.some((dim) => dim >= rank)) {
    const found = dimOrder.slice(0, MAX_RANK).join(", ");
    throw new FormatError(`${where}: dimension order [${found}] of ${rank} dimensions`);
  }
}

/** Constant, planned, mutable with initial bytes, or bound by the caller: by what is present. */
function readTensorData(table: FlatTable, byteLength: number, context: ValueContext): TensorData {
  const { where } = table;
  const index = table.u32(5, "data_buffer_idx");
  const extra = table.table(9, "extra_tensor_info");
  const allocation = table.table(6, "allocation_info");
  const location = extra?.i8(2, "location") ?? 0;
  if (location !== 0 && location !== 1) {
    throw new UnsupportedError(
      `${where}: data location ${location} is not supported; supported: segment, external (0, 1)`,
    );
  }
  if (allocation === undefined) {
    if (extra !== undefined && location === 1) {
      return { kind: "external", name: extra.requiredString(1, "fully_qualified_name") };
    }
    if (index === 0) return { kind: "caller" };
    return { kind: "constant", range: context.data.constant(index, byteLength, where) };
  }
  const planned = readAllocation(allocation, byteLength, context);
  if (index === 0) return { kind: "planned", ...planned };
  const setWhere = `${where}.mutable_data_segments_idx`;
  const set = toSafeNumber(extra?.u64(0, "mutable_data_segments_idx") ?? 0n, setWhere);
  const range = context.data.mutable(set, index, byteLength, where);
  return { kind: "mutable", ...planned, range };
}

function readAllocation(
  table: FlatTable,
  byteLength: number,
  context: ValueContext,
): { pool: number; offset: number } {
  const pool = table.u32(0, "memory_id");
  const poolBytes = at(context.poolByteLengths, pool, table.where, "memory pool");
  if (pool === 0) throw new FormatError(`${table.where}: memory pool 0 is reserved`);
  const offset = table.u32(1, "memory_offset_low") + table.u32(2, "memory_offset_high") * 2 ** 32;
  if (offset + byteLength > poolBytes) {
    throw new FormatError(
      `${table.where}: bytes ${offset}…${offset + byteLength} of a memory pool of ${poolBytes}`,
    );
  }
  return { pool, offset };
}
