import { DeviceError } from "../errors.ts";
import type { Capabilities } from "../gpu/capabilities.ts";
import type { RowSource } from "../checkpoint.ts";
import type { Tensor } from "./ir.ts";
import type { Shard } from "./ops/op.ts";

/**
 * Shards begin at multiples of this many rows, so that their first element is aligned in every
 * plane and in the bias (64 × 4 bytes = 256, the alignment of binding offsets).
 */
const SHARD_ROWS_MULTIPLE = 64;

/** How a constant's rows are split: those of its source, or one shard where it is part of one. */
export function shardRows(tensor: Tensor, capabilities: Capabilities): readonly Shard[] {
  const { storage, name, dims } = tensor;
  if (storage.kind !== "constant") throw new Error(`plan: "${name}" is not a constant`);
  if (storage.firstRow !== undefined) return [{ firstRow: 0, rows: Number(dims[0]) }];
  return shardSource(storage.data, name, capabilities);
}

/**
 * Splits a row source into shards that fit the device's binding and buffer limits, all planes alike.
 * One shard where everything fits.
 */
export function shardSource(
  { rows, planeRowBytes }: RowSource,
  name: string,
  { limits }: Capabilities,
): readonly Shard[] {
  const rowBytes = Math.max(...planeRowBytes);
  const limit = Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
  if (rows * rowBytes <= limit) return [{ firstRow: 0, rows }];
  const perShard = Math.floor(limit / rowBytes / SHARD_ROWS_MULTIPLE) * SHARD_ROWS_MULTIPLE;
  if (perShard === 0) {
    throw new DeviceError(
      "memory",
      `plan: ${SHARD_ROWS_MULTIPLE} rows of "${name}" need ${SHARD_ROWS_MULTIPLE * rowBytes} bytes; ` +
        `the device binds at most ${limit} at once`,
    );
  }
  const shards: Shard[] = [];
  for (let firstRow = 0; firstRow < rows; firstRow += perShard) {
    shards.push({ firstRow, rows: Math.min(perShard, rows - firstRow) });
  }
  return shards;
}
