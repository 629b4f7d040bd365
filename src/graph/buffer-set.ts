import type { GpuDevice } from "../gpu/device.ts";
import type { ConstantStore } from "./constant-store.ts";
import { maxByteLength } from "./ir.ts";
import type { Tensor } from "./ir.ts";
import type { BufferReference, Plan } from "./plan.ts";

type OwnedReference = Exclude<BufferReference, { kind: "int" }>;

/**
 * The GPU memory that plans over one model share: its constants, the buffers of state, inputs and
 * outputs, and slots for activations. Plans run one after another, so their slots are the same
 * buffers, each as large as the most demanding plan wants.
 */
export class BufferSet {
  readonly #gpu: GpuDevice;
  readonly #constants: ConstantStore;
  readonly #label: string;
  readonly #tensors = new Map<Tensor, GPUBuffer>();
  readonly #slots: GPUBuffer[] = [];
  readonly #shared: BufferSet | undefined;

  /** `shared` has buffers of its own that plans of this set use too: state, above all. */
  constructor(gpu: GpuDevice, label: string, constants: ConstantStore, shared?: BufferSet) {
    this.#gpu = gpu;
    this.#label = label;
    this.#constants = constants;
    this.#shared = shared;
  }

  /** Makes the buffers of `tensors`, where they have none yet. */
  allocateTensors(tensors: readonly Tensor[]): void {
    for (const tensor of tensors) {
      if (this.#find(tensor) !== undefined) continue;
      const label = `${this.#label}.${tensor.name}`;
      this.#tensors.set(tensor, this.#gpu.createStorageBuffer(label, maxByteLength(tensor)));
    }
  }

  /** Frees the buffers of `tensors` again. */
  freeTensors(tensors: readonly Tensor[]): void {
    for (const tensor of tensors) {
      const buffer = this.#tensors.get(tensor);
      if (buffer !== undefined) this.#gpu.destroyBuffer(buffer);
      this.#tensors.delete(tensor);
    }
  }

  /** True where `tensor` has a buffer of its own. */
  has(tensor: Tensor): boolean {
    return this.#find(tensor) !== undefined;
  }

  #find(tensor: Tensor): GPUBuffer | undefined {
    const own = this.#tensors.get(tensor);
    return own ?? (this.#shared === undefined ? undefined : this.#shared.#find(tensor));
  }

  /**
   * Makes the buffers `plans` need. Call once, with all of them, before executors are prepared:
   * a slot that grew later would leave bind groups behind.
   */
  allocate(plans: readonly Plan[]): void {
    for (const { tensors, slotBytes } of plans) {
      this.allocateTensors(tensors);
      if (
        this.#slots.length > 0 &&
        slotBytes.some((bytes, i) => bytes > (this.#slots[i]?.size ?? 0))
      ) {
        throw new Error("buffers: slots are made once for all plans");
      }
    }
    const slots = Math.max(0, ...plans.map(({ slotBytes }) => slotBytes.length));
    if (this.#slots.length > 0) return;
    for (let slot = 0; slot < slots; slot++) {
      const bytes = Math.max(...plans.map(({ slotBytes }) => slotBytes[slot] ?? 0));
      this.#slots.push(this.#gpu.createStorageBuffer(`${this.#label}.slot${slot}`, bytes));
    }
  }

  /** The buffer of a tensor that has its own. */
  tensor(tensor: Tensor): GPUBuffer {
    const buffer = this.#find(tensor);
    if (buffer === undefined) throw new Error(`buffers: "${tensor.name}" has no buffer of its own`);
    return buffer;
  }

  resolve(reference: OwnedReference, plan: Plan): GPUBufferBinding {
    switch (reference.kind) {
      case "slot": {
        const buffer = this.#slots[reference.slot];
        // Bound only as far as this plan needs, which keeps robust bounds checks meaningful.
        return {
          buffer: buffer!,
          size: Math.max(4, Math.ceil(plan.slotBytes[reference.slot]! / 4) * 4),
        };
      }
      case "tensor":
        return { buffer: this.tensor(reference.tensor), offset: reference.byteOffset };
      case "constant":
        return {
          buffer: this.#constants.get(reference.tensor, reference.shard),
          offset: reference.byteOffset,
        };
      default:
        throw new Error(`buffers: ${JSON.stringify(reference satisfies never)}`);
    }
  }

  /** Bytes of buffers made here: state, inputs, outputs and activations. */
  get byteLength(): number {
    let bytes = 0;
    for (const { size } of [...this.#tensors.values(), ...this.#slots]) bytes += size;
    return bytes;
  }

  dispose(): void {
    for (const buffer of [...this.#tensors.values(), ...this.#slots])
      this.#gpu.destroyBuffer(buffer);
    this.#tensors.clear();
    this.#slots.length = 0;
  }
}
