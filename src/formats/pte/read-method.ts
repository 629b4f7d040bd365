/** One execution plan → `Method`, with every index checked. */
import { FormatError, UnsupportedError } from "../../errors.ts";
import type { ByteRange } from "./byte-range.ts";
import { at, checkIndex, toSafeNumber } from "./checks.ts";
import type { FlatTable } from "./flatbuffer.ts";
import type { Chain, Delegate, Instruction, Method, TensorDataTables } from "./program.ts";
import { readProgramValue } from "./read-program-value.ts";

/** Delegates of one method: each costs reading a graph. Real programs have one, or a few dozen. */
export const MAX_DELEGATES = 1024;

/** What plans refer to outside themselves. */
export interface MethodContext {
  readonly segments: readonly ByteRange[];
  readonly inlineDelegates: readonly ByteRange[];
  readonly data: TensorDataTables;
}

/** Bounds of the indices inside one plan. */
interface Counts {
  readonly values: number;
  readonly operators: number;
  readonly delegates: number;
}

/** Reads an `ExecutionPlan`. */
export function readMethod(plan: FlatTable, context: MethodContext): Method {
  const poolsWhere = `${plan.where}.non_const_buffer_sizes`;
  const poolByteLengths = plan
    .i64s(8, "non_const_buffer_sizes")
    .map((size) => toSafeNumber(size, poolsWhere));
  const valueTables = plan.tables(2, "values");
  const values = valueTables.map((table) =>
    readProgramValue(table, {
      valueCount: valueTables.length,
      poolByteLengths,
      data: context.data,
    }),
  );
  const operators = plan.tables(6, "operators").map((table) => ({
    name: table.requiredString(0, "name"),
    overload: table.string(1, "overload") ?? "",
  }));
  const delegateTables = plan.tables(7, "delegates");
  if (delegateTables.length > MAX_DELEGATES) {
    throw new UnsupportedError(
      `${plan.where}: ${delegateTables.length} delegates; at most ${MAX_DELEGATES} are supported`,
    );
  }
  const delegates = delegateTables.map((table) => readDelegateEntry(table, context));
  const counts = {
    values: values.length,
    operators: operators.length,
    delegates: delegates.length,
  };
  return {
    name: plan.requiredString(0, "name"),
    values,
    inputs: valueIndices(plan, 3, "inputs", counts),
    outputs: valueIndices(plan, 4, "outputs", counts),
    chains: plan.tables(5, "chains").map((table) => readChain(table, counts)),
    operators,
    delegates,
    poolByteLengths,
  };
}

function readDelegateEntry(table: FlatTable, context: MethodContext): Delegate {
  const reference = table.requiredTable(1, "processed");
  const index = reference.u32(1, "index");
  const compileSpecs = new Map<string, Uint8Array>();
  for (const spec of table.tables(2, "compile_specs")) {
    compileSpecs.set(spec.requiredString(0, "key"), spec.bytes(1, "value"));
  }
  return {
    id: table.requiredString(0, "id"),
    blob: delegateBlob(reference, index, context),
    compileSpecs,
  };
}

function delegateBlob(reference: FlatTable, index: number, context: MethodContext): ByteRange {
  const location = reference.i8(0, "location");
  switch (location) {
    case 0:
      return at(context.inlineDelegates, index, reference.where, "inline delegate");
    case 1:
      return at(context.segments, index, reference.where, "segment");
    default:
      throw new UnsupportedError(
        `${reference.where}: data location ${location} is not supported; supported: inline, segment`,
      );
  }
}

function readChain(table: FlatTable, counts: Counts): Chain {
  const instructions = table.tables(2, "instructions");
  return {
    inputs: valueIndices(table, 0, "inputs", counts),
    outputs: valueIndices(table, 1, "outputs", counts),
    instructions: instructions.map((entry) => readInstruction(entry, counts, instructions.length)),
  };
}

function readInstruction(entry: FlatTable, counts: Counts, instructions: number): Instruction {
  const { type, table } = entry.union(0, "instr_args");
  const value = (slot: number, name: string): number =>
    checkIndex(table.i32(slot, name), counts.values, table.where, `${name}: value`);
  switch (type) {
    case 1: {
      const operator = table.i32(0, "op_index");
      return {
        kind: "kernel",
        operator: checkIndex(operator, counts.operators, table.where, "operator"),
        args: valueIndices(table, 1, "args", counts),
      };
    }
    case 2: {
      const delegate = table.i32(0, "delegate_index");
      return {
        kind: "delegate",
        delegate: checkIndex(delegate, counts.delegates, table.where, "delegate"),
        args: valueIndices(table, 1, "args", counts),
      };
    }
    case 3:
      return { kind: "move", from: value(0, "move_from"), to: value(1, "move_to") };
    case 4: {
      const condition = value(0, "cond_value_index");
      const destination = table.i32(1, "destination_instruction");
      if (destination < 0 || destination > instructions) {
        throw new FormatError(
          `${table.where}: jump to instruction ${destination}, but there are ${instructions}`,
        );
      }
      return { kind: "jumpFalse", condition, destination };
    }
    case 5:
      return { kind: "free", value: value(0, "value_index") };
    default:
      throw new UnsupportedError(
        `${entry.where}: instruction type ${type} is not supported; ` +
          "supported: kernel call, delegate call, move, jump, free (1 to 5)",
      );
  }
}

function valueIndices(table: FlatTable, slot: number, name: string, counts: Counts): number[] {
  const indices = table.i32s(slot, name);
  for (const index of indices) {
    checkIndex(index, counts.values, `${table.where}.${name}`, "value");
  }
  return indices;
}
