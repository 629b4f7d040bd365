import type { GpuDevice } from "../../gpu/device.ts";

/** Fills what a kernel should write, so that elements it misses are seen (a NaN in f32), and the guards. */
export const SENTINEL_BYTE = 0xff;

/** Bytes before and after an operand: a multiple of every alignment of bindings. */
const GUARD_BYTES = 4096;

/**
 * An operand between guards. A kernel that reads past it where the implementation checks no bounds gets
 * numbers that are none, and what it writes there is found.
 */
export class GuardedBuffer {
  readonly buffer: GPUBuffer;
  readonly bytes: number;

  constructor(gpu: GpuDevice, name: string, contents: Uint8Array) {
    this.bytes = contents.length;
    const all = new Uint8Array(this.bytes + 2 * GUARD_BYTES).fill(SENTINEL_BYTE);
    all.set(contents, GUARD_BYTES);
    this.buffer = gpu.createBuffer(
      `test.${name}`,
      all.length,
      GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC,
    );
    gpu.queue.writeBuffer(this.buffer, 0, all);
  }

  get binding(): GPUBufferBinding {
    return { buffer: this.buffer, offset: GUARD_BYTES, size: this.bytes };
  }

  /** Copies the operand, for reading. */
  copyContents(encoder: GPUCommandEncoder, target: GPUBuffer): void {
    encoder.copyBufferToBuffer(this.buffer, GUARD_BYTES, target, 0, this.bytes);
  }

  /** Copies both guards to `offset` of `target`, and returns where they end. */
  copyGuards(encoder: GPUCommandEncoder, target: GPUBuffer, offset: number): number {
    const after = GUARD_BYTES + this.bytes;
    encoder.copyBufferToBuffer(this.buffer, 0, target, offset, GUARD_BYTES);
    encoder.copyBufferToBuffer(this.buffer, after, target, offset + GUARD_BYTES, GUARD_BYTES);
    return offset + GuardedBuffer.guardBytes;
  }

  /** Of one operand. */
  static readonly guardBytes = 2 * GUARD_BYTES;
}

const SENTINEL_WORD = 0xffff_ffff;

/** Throws where one of the operands' guards, one after another in `guards`, was written. */
export function checkGuards(names: readonly string[], guards: ArrayBuffer): void {
  const words = new Uint32Array(guards);
  const changed = words.findIndex((word) => word !== SENTINEL_WORD);
  if (changed < 0) return;
  const at = 4 * changed;
  const side = at % GuardedBuffer.guardBytes < GUARD_BYTES ? "before" : "after";
  throw new Error(
    `"${names[Math.floor(at / GuardedBuffer.guardBytes)]}" was written ${side} its bounds`,
  );
}
