import { RequestError } from "../errors.ts";
import type { ScalarType } from "../formats/pte/element-types.ts";
import type { GpuDevice } from "../gpu/device.ts";
import { ReadbackRing } from "../gpu/readback-ring.ts";
import { decodeTensor, gpuByteLength, gpuType } from "./typed-tensor.ts";
import type { TypedTensor } from "./typed-tensor.ts";

/** Reads a buffer's first elements as a tensor. */
export async function readTensor(
  gpu: GpuDevice,
  buffer: GPUBuffer,
  type: ScalarType,
  dims: readonly number[],
): Promise<TypedTensor> {
  const bytes = gpuByteLength(gpuType(type), dims);
  const ring = new ReadbackRing(gpu, `read.${buffer.label}`, bytes);
  try {
    const encoder = gpu.device.createCommandEncoder({ label: "read" });
    const readback = ring.copy(encoder, buffer, 0, bytes);
    gpu.queue.submit([encoder.finish()]);
    return decodeTensor(type, dims, await readback.read());
  } finally {
    ring.dispose();
  }
}

/**
 * A program's output that stayed on the GPU: may be passed to a later run as an input, without
 * passing the CPU. Holds memory until it is disposed.
 */
export class GpuTensor {
  readonly type: ScalarType;
  readonly dims: readonly number[];
  readonly #gpu: GpuDevice;
  #buffer: GPUBuffer | undefined;

  /** Takes the buffer over. */
  constructor(gpu: GpuDevice, buffer: GPUBuffer, type: ScalarType, dims: readonly number[]) {
    this.#gpu = gpu;
    this.#buffer = buffer;
    this.type = type;
    this.dims = dims;
  }

  /** The memory. Throws `RequestError` after `dispose`. */
  get buffer(): GPUBuffer {
    if (this.#buffer === undefined) throw new RequestError("program: a tensor that was disposed");
    return this.#buffer;
  }

  /** The contents. */
  read(): Promise<TypedTensor> {
    return readTensor(this.#gpu, this.buffer, this.type, this.dims);
  }

  dispose(): void {
    if (this.#buffer === undefined) return;
    this.#gpu.destroyBuffer(this.#buffer);
    this.#buffer = undefined;
  }
}
