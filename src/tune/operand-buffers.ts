import type { GpuDevice } from "../gpu/device.ts";
import type { OperandSize, TunableCall } from "../graph/tuning.ts";
import type { Tunable } from "../kernels/shared/tunable.ts";
import { encodedBytes, randomBytes, TILE_WORDS } from "./random-data.ts";

/**
 * Weights and caches differ from call to call, so each timed call takes the next of many copies:
 * more in all than a large cache holds (an H200's has 50 MB, consumers' up to 128).
 */
const ROTATED_BYTES = 2 ** 28;
const ROTATED_BYTES_SOFTWARE = 2 ** 24;
const MAX_COPIES = 64;

const padded = (bytes: number, multiple: number): number =>
  Math.max(multiple, Math.ceil(bytes / multiple) * multiple);

interface OperandBuffer {
  readonly buffer: GPUBuffer;
  /** What the buffer repeats. */
  readonly tile: Uint8Array<ArrayBuffer>;
  /** Bytes of a copy, and from one to the next. */
  readonly bytes: number;
  readonly stride: number;
  readonly copies: number;
}

const isRotated = ({ kind }: OperandSize): boolean => kind === "constant" || kind === "state";

/** Random contents for the operands of a call, and the scratch of its candidates. */
export class OperandBuffers {
  readonly #gpu: GpuDevice;
  readonly #operands = new Map<string, OperandBuffer>();
  readonly #scratch = new Map<string, GPUBuffer>();
  /** How many different weights there are. */
  readonly copies: number;

  constructor(gpu: GpuDevice, { tunable, operands }: TunableCall) {
    this.#gpu = gpu;
    this.copies = copiesFor(gpu, Object.values(operands));
    try {
      Object.entries(operands).forEach(([name, size], index) => {
        this.#operands.set(name, this.#create(tunable, name, size, index + 1));
      });
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  #create(
    { magnitudes, encodings }: Tunable<unknown>,
    name: string,
    size: OperandSize,
    seed: number,
  ): OperandBuffer {
    const alignment = this.#gpu.capabilities.limits.minStorageBufferOffsetAlignment;
    const stride = padded(size.bytes, alignment);
    const copies = isRotated(size) ? this.copies : 1;
    const buffer = this.#gpu.createBuffer(
      `tune.${name}`,
      stride * copies,
      GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC,
    );
    const magnitude = magnitudes?.[name] ?? 1;
    const encoding = encodings?.[name];
    const tile =
      encoding === undefined
        ? randomBytes(Math.min(TILE_WORDS, buffer.size / 4), size.dtype, magnitude, seed)
        : encodedBytes(encoding, size.bytes, magnitude, seed);
    this.#fill(buffer, tile);
    return { buffer, tile, bytes: padded(size.bytes, 4), stride, copies };
  }

  #fill(buffer: GPUBuffer, tile: Uint8Array<ArrayBuffer>): void {
    this.#gpu.queue.writeBuffer(buffer, 0, tile);
    if (tile.byteLength >= buffer.size) return;
    // A buffer cannot be copied into itself.
    const source = this.#gpu.createBuffer(
      "tune.tile",
      tile.byteLength,
      GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    );
    this.#gpu.queue.writeBuffer(source, 0, tile);
    const encoder = this.#gpu.device.createCommandEncoder({ label: "tune.fill" });
    for (let at = tile.byteLength; at < buffer.size; at += tile.byteLength) {
      const bytes = Math.min(tile.byteLength, buffer.size - at);
      encoder.copyBufferToBuffer(source, 0, buffer, at, bytes);
    }
    this.#gpu.queue.submit([encoder.finish()]);
    this.#gpu.destroyBuffer(source);
  }

  /** What an operand was filled with, from a byte of its first copy on. */
  contents(name: string, offset: number, bytes: number): Uint8Array<ArrayBuffer> {
    const { tile } = this.#operand(name);
    return Uint8Array.from({ length: bytes }, (_, at) => tile[(offset + at) % tile.length]!);
  }

  #operand(name: string): OperandBuffer {
    const operand = this.#operands.get(name);
    if (operand === undefined) throw new Error(`tune: there is no operand "${name}"`);
    return operand;
  }

  /** Makes scratch as large as any candidate wants it. */
  allocateScratch(wanted: readonly Readonly<Record<string, number>>[]): void {
    const most = new Map<string, number>();
    for (const scratch of wanted) {
      for (const [name, bytes] of Object.entries(scratch)) {
        most.set(name, Math.max(bytes, most.get(name) ?? 0));
      }
    }
    for (const [name, bytes] of most) {
      this.#scratch.set(name, this.#gpu.createStorageBuffer(`tune.${name}`, bytes));
    }
  }

  /** What to bind for an operand, or for scratch of so many bytes. */
  binding(name: string, copy: number, scratchBytes: number | undefined): GPUBufferBinding {
    const scratch = this.#scratch.get(name);
    if (scratchBytes !== undefined && scratch !== undefined) {
      return { buffer: scratch, size: padded(scratchBytes, 4) };
    }
    const { buffer, bytes, stride, copies } = this.#operand(name);
    return { buffer, offset: stride * (copy % copies), size: bytes };
  }

  /** The buffer of an operand, its first copy in front. */
  buffer(name: string): GPUBuffer {
    return this.#operand(name).buffer;
  }

  dispose(): void {
    for (const { buffer } of this.#operands.values()) this.#gpu.destroyBuffer(buffer);
    for (const buffer of this.#scratch.values()) this.#gpu.destroyBuffer(buffer);
    this.#operands.clear();
    this.#scratch.clear();
  }
}

function copiesFor({ capabilities }: GpuDevice, sizes: readonly OperandSize[]): number {
  const rotated = sizes.filter(isRotated).map(({ bytes }) => bytes);
  const all = rotated.reduce((sum, bytes) => sum + bytes, 0);
  if (all === 0) return 1;
  const { software, limits } = capabilities;
  const wanted = Math.floor((software ? ROTATED_BYTES_SOFTWARE : ROTATED_BYTES) / all);
  // All copies of an operand are in one buffer.
  const alignment = limits.minStorageBufferOffsetAlignment;
  const fitting = Math.floor(limits.maxBufferSize / padded(Math.max(...rotated), alignment));
  return Math.max(1, Math.min(wanted, fitting, MAX_COPIES));
}
