import type { Capabilities } from "../gpu/capabilities.ts";
import type { DispatchTemplate } from "../gpu/kernel.ts";
import { arithmeticUnit } from "../gpu/work.ts";
import type { Work } from "../gpu/work.ts";
import { DTYPE_BYTES } from "./ir.ts";
import type { Tensor } from "./ir.ts";
import type { Call, Operand } from "./ops/op.ts";
import { shardRows } from "./sharding.ts";
import type { SymIntValues } from "./symint.ts";

/** Bytes of a tensor at the live sizes. */
function liveBytes(tensor: Tensor, values: SymIntValues): number {
  return tensor.dims.reduce<number>((n, dim) => n * values.get(dim), DTYPE_BYTES[tensor.dtype]);
}

function operandBytes(operand: Operand, values: SymIntValues, capabilities: Capabilities): number {
  if ("int" in operand) return DTYPE_BYTES.i32;
  if (!("tensor" in operand)) return liveBytes(operand, values);
  const { tensor } = operand;
  const bytes = liveBytes(tensor, values);
  if (!("shard" in operand)) return bytes - operand.byteOffset;
  const shards = shardRows(tensor, capabilities);
  const rows = shards.reduce((sum, shard) => sum + shard.rows, 0);
  return (bytes * (shards[operand.shard]?.rows ?? 0)) / rows;
}

/**
 * What a dispatch of a call must do at the least: bytes of its operands and scratch, except where the
 * template knows better, and the operations that it states.
 */
export function workOf(
  template: DispatchTemplate<unknown>,
  { route, operands, live }: Call,
  values: SymIntValues,
  capabilities: Capabilities,
): Work {
  const stated = template.work?.(live(values)) ?? {};
  let bytes = 0;
  // Absent operands have others bound in their place, which are counted once.
  for (const name of new Set(Object.values(template.bind))) {
    const operand = operands[name];
    bytes +=
      stated.bytes?.[name] ??
      (operand === undefined
        ? (route.scratch[name] ?? 0)
        : operandBytes(operand, values, capabilities));
  }
  return {
    bytes,
    operations: stated.operations ?? 0,
    unit: arithmeticUnit(template.kernel),
    shape: stated.shape ?? "",
  };
}
