import type { GpuDevice } from "../gpu/device.ts";
import type { BufferSet } from "./buffer-set.ts";
import type { Tensor } from "./ir.ts";

/** Bytes of initial data read at a time. */
const PIECE_BYTES = 8 * 2 ** 20;

/**
 * Writes the initial data of state to its buffers; state without any stays as it is, zeros where it
 * is new. Rows are written in multiples of four, so that every write is one of words.
 */
export async function initializeState(
  gpu: GpuDevice,
  buffers: BufferSet,
  tensors: readonly Tensor[],
  signal?: AbortSignal,
): Promise<void> {
  for (const tensor of tensors) {
    const { storage } = tensor;
    if (storage.kind !== "state" || storage.initial === undefined) continue;
    const { data, plane } = storage.initial;
    const rowBytes = data.planeRowBytes[plane] ?? 0;
    const pieceRows = Math.max(4, Math.floor(PIECE_BYTES / Math.max(1, rowBytes) / 4) * 4);
    for (let row = 0; row < data.rows; row += pieceRows) {
      const count = Math.min(pieceRows, data.rows - row);
      const bytes = (await data.read(row, count, signal))[plane] ?? new Uint8Array();
      gpu.assertUsable();
      const padded = new Uint8Array(Math.ceil(bytes.byteLength / 4) * 4);
      padded.set(bytes);
      gpu.queue.writeBuffer(buffers.tensor(tensor), row * rowBytes, padded);
    }
  }
}
