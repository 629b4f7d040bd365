import type { RowSource } from "../../checkpoint.ts";
import { readRange } from "./byte-range.ts";
import type { ByteRange } from "./byte-range.ts";

/**
 * Transposed scales up to this size are read at once and kept until the last row was read: a
 * vocabulary of 128,256 with 2,048 features in groups of 32 has 33 MB. Beyond, every piece of rows
 * costs a read a group.
 */
const MAX_HELD_BYTES = 2 ** 26;

/** Where the planes of a 4-bit matrix are, and how its scales lie. */
export interface Q4Layout {
  /** u8 [rows, weightRowBytes] */
  readonly weight: ByteRange;
  /** [rows, groups], or [groups, stride] where a stride is given. */
  readonly scales: ByteRange;
  readonly rows: number;
  readonly weightRowBytes: number;
  readonly groups: number;
  readonly scaleBytes: 2 | 4;
  /** Scales from one group to the next: N padded to a multiple of 4; undefined for row-major. */
  readonly stride: number | undefined;
}

/** Scales [groups, stride] from `first` on as row-major [count, groups]. */
function transpose(
  block: Uint8Array,
  { groups, scaleBytes }: Q4Layout,
  stride: number,
  first: number,
  count: number,
): Uint8Array {
  const aligned = block.byteOffset % scaleBytes === 0 ? block : block.slice();
  const length = aligned.byteLength / scaleBytes;
  const source =
    scaleBytes === 2
      ? new Uint16Array(aligned.buffer, aligned.byteOffset, length)
      : new Uint32Array(aligned.buffer, aligned.byteOffset, length);
  const out = scaleBytes === 2 ? new Uint16Array(count * groups) : new Uint32Array(count * groups);
  for (let group = 0; group < groups; group++) {
    const start = group * stride + first;
    for (let row = 0; row < count; row++) out[row * groups + group] = source[start + row] ?? 0;
  }
  return new Uint8Array(out.buffer);
}

/** The scales of rows [start, start + count), one read a group. */
async function readStrided(
  layout: Q4Layout,
  stride: number,
  start: number,
  count: number,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const { scales, groups, scaleBytes } = layout;
  const block = new Uint8Array(groups * count * scaleBytes);
  for (let group = 0; group < groups; group++) {
    const offset = (group * stride + start) * scaleBytes;
    block.set(
      await readRange(scales, offset, count * scaleBytes, signal),
      group * count * scaleBytes,
    );
  }
  return transpose(block, layout, count, 0, count);
}

/**
 * A 4-bit matrix as the kernels want it: plane 0 the packed weight, plane 1 the scales, row-major
 * [rows, groups]. `maxHeldBytes` bounds what is kept of transposed scales.
 */
export function q4Rows(layout: Q4Layout, maxHeldBytes = MAX_HELD_BYTES): RowSource {
  const { weight, scales, rows, weightRowBytes, groups, scaleBytes, stride } = layout;
  const scaleRowBytes = groups * scaleBytes;
  let held: Promise<Uint8Array> | undefined;

  const readScales = async (start: number, count: number, signal: AbortSignal | undefined) => {
    if (stride === undefined) {
      return readRange(scales, start * scaleRowBytes, count * scaleRowBytes, signal);
    }
    const blockBytes = groups * stride * scaleBytes;
    if (blockBytes > maxHeldBytes) return readStrided(layout, stride, start, count, signal);
    held ??= readRange(scales, 0, blockBytes, signal);
    try {
      return transpose(await held, layout, stride, start, count);
    } catch (error) {
      held = undefined;
      throw error;
    } finally {
      if (start + count >= rows) held = undefined;
    }
  };

  return {
    rows,
    storedRowBytes: weightRowBytes + scaleRowBytes,
    planeRowBytes: [weightRowBytes, scaleRowBytes],
    read: (start, count, signal) =>
      Promise.all([
        readRange(weight, start * weightRowBytes, count * weightRowBytes, signal),
        readScales(start, count, signal),
      ]),
  };
}
