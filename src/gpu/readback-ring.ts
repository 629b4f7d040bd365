import { DeviceError } from "../errors.ts";
import type { GpuDevice } from "./device.ts";

/** A copy on its way to the CPU. */
export interface Readback {
  /** Resolves with the bytes once the GPU has written them. Call it after the submit. */
  read(): Promise<ArrayBuffer>;
}

/**
 * Buffers for reading results while later work is already queued: a slot is taken when a copy is
 * encoded and returned when it was read, and mapping never blocks the next submit.
 */
export class ReadbackRing {
  readonly #gpu: GpuDevice;
  readonly #label: string;
  readonly #slotBytes: number;
  readonly #free: GPUBuffer[] = [];
  readonly #all = new Set<GPUBuffer>();

  constructor(gpu: GpuDevice, label: string, slotBytes: number) {
    this.#gpu = gpu;
    this.#label = label;
    this.#slotBytes = slotBytes;
  }

  /** Encodes a copy of `bytes` bytes of `source` into a free slot. */
  copy(
    encoder: GPUCommandEncoder,
    source: GPUBuffer,
    sourceOffset: number,
    bytes: number,
  ): Readback {
    if (bytes > this.#slotBytes) throw new Error(`readback: ${bytes} bytes exceed a slot`);
    const slot = this.#free.pop() ?? this.#create();
    encoder.copyBufferToBuffer(source, sourceOffset, slot, 0, bytes);
    return { read: () => this.#read(slot, bytes) };
  }

  #create(): GPUBuffer {
    const slot = this.#gpu.createBuffer(
      `${this.#label}.${this.#all.size}`,
      this.#slotBytes,
      GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    );
    this.#all.add(slot);
    return slot;
  }

  async #read(slot: GPUBuffer, bytes: number): Promise<ArrayBuffer> {
    try {
      await slot.mapAsync(GPUMapMode.READ, 0, bytes);
    } catch (error) {
      this.#gpu.assertUsable();
      throw new DeviceError("internal", `gpu: cannot read back "${slot.label}": ${String(error)}`, {
        cause: error,
      });
    }
    const result = slot.getMappedRange(0, bytes).slice(0);
    slot.unmap();
    this.#free.push(slot);
    return result;
  }

  dispose(): void {
    for (const slot of this.#all) this.#gpu.destroyBuffer(slot);
    this.#all.clear();
    this.#free.length = 0;
  }
}
