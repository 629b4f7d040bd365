import type { GpuDevice } from "./device.ts";
import type { CompiledKernel } from "./pipeline-cache.ts";
import { encodeParams } from "./wgsl.ts";

/** Most that the Params of a kernel may have: no alignment of uniform offsets is larger in WebGPU. */
const MAX_PARAMS_BYTES = 256;

/** `setImmediates` is newer than the type declarations. */
interface ImmediatesEncoder {
  setImmediates(rangeOffset: number, data: Uint8Array, dataOffset: number, size: number): void;
}

/**
 * The `Params` of many dispatches, a slot each: encoded with the dispatch where its kernel takes
 * immediates, otherwise in one uniform buffer at fixed offsets, so that bind groups never change. What
 * is uploaded is only what differs from what the GPU has; neighbours go in one write.
 */
export class ParamsArena {
  readonly #gpu: GpuDevice;
  readonly #kernels: readonly CompiledKernel[];
  readonly #stride: number;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  /** None where every kernel takes immediates. */
  readonly #uniforms: GPUBuffer | undefined;
  readonly #scratch = new Uint8Array(MAX_PARAMS_BYTES);
  readonly #scratchView = new DataView(this.#scratch.buffer);
  #dirtyFrom = Infinity;
  #dirtyTo = 0;

  /** `kernels`: of each slot. */
  constructor(gpu: GpuDevice, label: string, kernels: readonly CompiledKernel[]) {
    this.#gpu = gpu;
    this.#kernels = kernels;
    this.#stride = Math.max(
      MAX_PARAMS_BYTES,
      gpu.capabilities.limits.minUniformBufferOffsetAlignment,
    );
    this.#bytes = new Uint8Array(kernels.length * this.#stride);
    if (kernels.some(usesUniform)) {
      const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
      this.#uniforms = gpu.createBuffer(label, this.#bytes.length, usage);
    }
  }

  /** Whether all Params go with their dispatches: nothing is uploaded, and the GPU may lag behind. */
  get areEncoded(): boolean {
    return this.#uniforms === undefined;
  }

  /** Whether a slot's kernel takes Params: it has some, and was not compiled with their values. */
  takes(slot: number): boolean {
    const compiled = this.#kernel(slot);
    return compiled.immediates || usesUniform(compiled);
  }

  /** A slot's bind group: its uniforms, and for every other binding what `resource` says. */
  createBindGroup(
    slot: number,
    label: string,
    resource: (name: string) => GPUBufferBinding,
  ): GPUBindGroup {
    const { kernel, layout, bindings } = this.#kernel(slot);
    return this.#gpu.device.createBindGroup({
      label,
      layout,
      entries: bindings.map(({ binding, name, type }) => ({
        binding,
        resource:
          type === "uniform"
            ? this.#uniformBinding(slot, 4 * kernel.params.length)
            : resource(name),
      })),
    });
  }

  #kernel(slot: number): CompiledKernel {
    const kernel = this.#kernels[slot];
    if (kernel === undefined) throw new Error(`params: there is no slot ${slot}`);
    return kernel;
  }

  #uniformBinding(slot: number, bytes: number): GPUBufferBinding {
    if (this.#uniforms === undefined) throw new Error("params: a uniform without a buffer");
    if (bytes > this.#stride) throw new Error(`params: ${bytes} bytes exceed a slot`);
    return {
      buffer: this.#uniforms,
      offset: slot * this.#stride,
      size: Math.max(16, Math.ceil(bytes / 16) * 16),
    };
  }

  /** Encodes a slot anew. Every member of the kernel's Params must be given. */
  update(slot: number, values: Readonly<Record<string, number>>): void {
    const compiled = this.#kernel(slot);
    const declarations = compiled.kernel.params;
    encodeParams(declarations, values, this.#scratchView);
    const bytes = 4 * declarations.length;
    const offset = slot * this.#stride;
    let changed = false;
    for (let i = 0; i < bytes; i++) {
      const value = this.#scratch[i]!;
      if (this.#bytes[offset + i] !== value) {
        this.#bytes[offset + i] = value;
        changed = true;
      }
    }
    if (!changed || !usesUniform(compiled)) return;
    this.#dirtyFrom = Math.min(this.#dirtyFrom, offset);
    this.#dirtyTo = Math.max(this.#dirtyTo, offset + bytes);
  }

  /** Uploads what changed, before the submit that needs it. */
  flush(): void {
    if (this.#dirtyTo === 0 || this.#uniforms === undefined) return;
    const from = this.#dirtyFrom;
    this.#gpu.queue.writeBuffer(this.#uniforms, from, this.#bytes, from, this.#dirtyTo - from);
    this.#dirtyFrom = Infinity;
    this.#dirtyTo = 0;
  }

  /** Gives a slot's dispatch, about to be encoded into `pass`, its Params. */
  encode(pass: GPUComputePassEncoder, slot: number): void {
    const { kernel, immediates } = this.#kernel(slot);
    if (!immediates) return;
    const encoder = pass as unknown as ImmediatesEncoder;
    encoder.setImmediates(0, this.#bytes, slot * this.#stride, 4 * kernel.params.length);
  }

  dispose(): void {
    if (this.#uniforms !== undefined) this.#gpu.destroyBuffer(this.#uniforms);
  }
}

function usesUniform({ bindings }: CompiledKernel): boolean {
  return bindings.some(({ type }) => type === "uniform");
}
