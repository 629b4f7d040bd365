import type { Method, Program, ProgramValue } from "./program.ts";

/** A plain value; an integer beyond 2^53 stays a bigint. */
export type MetadataValue = number | bigint | boolean | string;

/**
 * What a program says of itself: methods that run nothing and return constants, such as
 * `get_max_seq_len` or `get_eos_ids`, by name. Every output is an item, so a plain number is a list
 * of one.
 */
export function readMetadata(program: Program): ReadonlyMap<string, readonly MetadataValue[]> {
  const metadata = new Map<string, readonly MetadataValue[]>();
  for (const [name, method] of program.methods) {
    const values = constantOutputs(method);
    if (values !== undefined) metadata.set(name, values);
  }
  return metadata;
}

/** The outputs of a method without instructions, where all are plain values. */
function constantOutputs(method: Method): MetadataValue[] | undefined {
  if (method.outputs.length === 0) return undefined;
  if (method.chains.some((chain) => chain.instructions.length > 0)) return undefined;
  const outputs: MetadataValue[] = [];
  for (const index of method.outputs) {
    const value = plainValue(method.values[index]);
    if (value === undefined) return undefined;
    outputs.push(value);
  }
  return outputs;
}

function plainValue(value: ProgramValue | undefined): MetadataValue | undefined {
  switch (value?.kind) {
    case "int": {
      const number = Number(value.value);
      return Number.isSafeInteger(number) ? number : value.value;
    }
    case "bool":
    case "double":
    case "string":
      return value.value;
    default:
      return undefined;
  }
}
