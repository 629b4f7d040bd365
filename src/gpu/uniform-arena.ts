import type { GpuDevice } from "./device.ts";

/** WebGPU's guaranteed alignment of uniform offsets, when the device says nothing smaller. */
const MAX_PARAMS_BYTES = 256;

/**
 * Uniforms of many dispatches in one buffer, at fixed offsets, so that bind groups never change. A
 * slot is uploaded only when its bytes differ from what the GPU has; neighbours go in one write.
 */
export class UniformArena {
  readonly buffer: GPUBuffer;
  readonly #gpu: GpuDevice;
  readonly #stride: number;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #scratch = new Uint8Array(MAX_PARAMS_BYTES);
  readonly #scratchView = new DataView(this.#scratch.buffer);
  #dirtyFrom = Infinity;
  #dirtyTo = 0;

  constructor(gpu: GpuDevice, label: string, slots: number) {
    this.#gpu = gpu;
    this.#stride = Math.max(
      MAX_PARAMS_BYTES,
      gpu.capabilities.limits.minUniformBufferOffsetAlignment,
    );
    const size = Math.max(1, slots) * this.#stride;
    this.#bytes = new Uint8Array(size);
    this.buffer = gpu.createBuffer(label, size, GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST);
  }

  /** What to bind for a slot of `bytes` bytes. */
  binding(slot: number, bytes: number): GPUBufferBinding {
    if (bytes > this.#stride) throw new Error(`uniforms: ${bytes} bytes exceed a slot`);
    return {
      buffer: this.buffer,
      offset: slot * this.#stride,
      size: Math.max(16, Math.ceil(bytes / 16) * 16),
    };
  }

  /** Encodes a slot anew through `encode`; remembers whether its first `bytes` bytes changed. */
  update(slot: number, bytes: number, encode: (target: DataView) => void): void {
    encode(this.#scratchView);
    const offset = slot * this.#stride;
    let changed = false;
    for (let i = 0; i < bytes; i++) {
      const value = this.#scratch[i]!;
      if (this.#bytes[offset + i] !== value) {
        this.#bytes[offset + i] = value;
        changed = true;
      }
    }
    if (!changed) return;
    this.#dirtyFrom = Math.min(this.#dirtyFrom, offset);
    this.#dirtyTo = Math.max(this.#dirtyTo, offset + Math.ceil(bytes / 4) * 4);
  }

  /** Uploads what changed, before the submit that needs it. Returns whether anything did. */
  flush(): boolean {
    if (this.#dirtyTo === 0) return false;
    const from = this.#dirtyFrom;
    this.#gpu.queue.writeBuffer(this.buffer, from, this.#bytes, from, this.#dirtyTo - from);
    this.#dirtyFrom = Infinity;
    this.#dirtyTo = 0;
    return true;
  }

  dispose(): void {
    this.#gpu.destroyBuffer(this.buffer);
  }
}
