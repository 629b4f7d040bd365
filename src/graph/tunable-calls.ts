import type { Capabilities } from "../gpu/capabilities.ts";
import type { Tunable } from "../kernels/shared/tunable.ts";
import { DTYPE_BYTES, maxByteLength } from "./ir.ts";
import type { Call, Operand } from "./ops/op.ts";
import { shardRows } from "./sharding.ts";
import type { OperandSize, TunableCall } from "./tuning.ts";

/** The calls that leave a choice, one for each key. */
export function tunableCalls(
  calls: readonly Call[],
  capabilities: Capabilities,
): readonly TunableCall[] {
  const distinct = new Map<string, TunableCall>();
  const made = calls.flatMap(({ tunable, operands, replaced = [] }) =>
    tunable === undefined ? replaced : [{ tunable, operands }, ...replaced],
  );
  for (const { tunable, operands } of made) {
    const known = distinct.get(tunable.key) ?? describe(tunable, operands, capabilities);
    distinct.set(tunable.key, { ...known, count: known.count + 1 });
  }
  return [...distinct.values()];
}

function describe(
  tunable: Tunable<unknown>,
  operands: Call["operands"],
  capabilities: Capabilities,
): TunableCall {
  const sizes = Object.entries(operands).map(
    ([name, operand]) => [name, operandSize(operand, capabilities)] as const,
  );
  return { tunable, operands: Object.fromEntries(sizes), count: 0 };
}

function operandSize(operand: Operand, capabilities: Capabilities): OperandSize {
  if ("int" in operand) return { dtype: "i32", bytes: DTYPE_BYTES.i32, kind: "input" };
  const tensor = "tensor" in operand ? operand.tensor : operand;
  const { dtype, storage } = tensor;
  const bytes = maxByteLength(tensor);
  if ("shard" in operand && storage.kind === "constant") {
    const shards = shardRows(tensor, capabilities);
    const rows = shards.reduce((sum, shard) => sum + shard.rows, 0);
    const part = shards[operand.shard]?.rows ?? 0;
    return { dtype, kind: storage.kind, bytes: (bytes / rows) * part };
  }
  const skipped = "byteOffset" in operand ? operand.byteOffset : 0;
  return { dtype, kind: storage.kind, bytes: bytes - skipped };
}
