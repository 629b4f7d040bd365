import type { RowSource } from "../checkpoint.ts";
import type { GpuDevice } from "../gpu/device.ts";
import type { Tensor } from "./ir.ts";
import type { Shard } from "./ops/op.ts";
import { shardSource } from "./sharding.ts";

/**
 * Bytes read from the file at a time. Bounds what a load holds in memory: one piece as read, one as
 * repacked, and what WebGPU has staged.
 */
const PIECE_BYTES = 8 * 2 ** 20;

/** Bytes given to `writeBuffer` before waiting for the GPU, so that staging memory is bounded too. */
const STAGED_BYTES = 32 * 2 ** 20;

/** Rows are read in multiples of this, so that every write is a multiple of four bytes. */
const ROWS_MULTIPLE = 4;

/** What is loaded so far, in bytes of the file. */
export type StoreProgress = (loaded: number, total: number) => void;

/** A buffer a plane: [shard][plane]. */
type ShardBuffers = readonly (readonly GPUBuffer[])[];

/**
 * The constants of a model on the GPU. A row source is read once, however many tensors are planes
 * of it or share it (tied embeddings).
 */
export class ConstantStore {
  readonly #gpu: GpuDevice;
  readonly #buffers = new Map<RowSource, ShardBuffers>();
  #stagedBytes = 0;

  constructor(gpu: GpuDevice) {
    this.#gpu = gpu;
  }

  /** Bytes on the GPU. */
  get byteLength(): number {
    let bytes = 0;
    for (const shards of this.#buffers.values()) {
      for (const planes of shards) for (const { size } of planes) bytes += size;
    }
    return bytes;
  }

  /** The buffer of a constant's shard. Throws where it was not loaded. */
  get(tensor: Tensor, shard: number): GPUBuffer {
    const { storage } = tensor;
    const buffer =
      storage.kind === "constant"
        ? this.#buffers.get(storage.data)?.[shard]?.[storage.plane]
        : undefined;
    if (buffer === undefined) throw new Error(`constants: "${tensor.name}" is not loaded`);
    return buffer;
  }

  /**
   * Streams every constant that is not there yet. Rejects with `DeviceError` ("memory") when the
   * device runs out; what was loaded by this call is then freed.
   */
  async load(
    tensors: readonly Tensor[],
    onProgress: StoreProgress = () => {},
    signal?: AbortSignal,
  ): Promise<void> {
    const sources = new Map<RowSource, Tensor>();
    for (const tensor of tensors) {
      if (tensor.storage.kind !== "constant" || this.#buffers.has(tensor.storage.data)) continue;
      sources.set(tensor.storage.data, tensor);
    }
    let total = 0;
    for (const { rows, storedRowBytes } of sources.keys()) total += rows * storedRowBytes;
    let loaded = 0;
    const done: RowSource[] = [];
    try {
      await this.#gpu.catchOutOfMemory("loading weights", async () => {
        for (const [source, tensor] of sources) {
          done.push(source);
          this.#buffers.set(source, this.#allocate(tensor, source));
          await this.#upload(tensor, source, signal, (bytes) => {
            loaded += bytes;
            onProgress(loaded, total);
          });
        }
        await this.#drain();
      });
    } catch (error) {
      for (const source of done) this.#free(source);
      throw error;
    }
  }

  #allocate(tensor: Tensor, source: RowSource): ShardBuffers {
    return shardSource(source, tensor.name, this.#gpu.capabilities).map(({ rows }, shard) =>
      source.planeRowBytes.map((rowBytes, plane) =>
        this.#gpu.createStorageBuffer(`${tensor.name}#${plane}.${shard}`, rows * rowBytes),
      ),
    );
  }

  async #upload(
    tensor: Tensor,
    source: RowSource,
    signal: AbortSignal | undefined,
    report: (bytes: number) => void,
  ): Promise<void> {
    const { storedRowBytes, planeRowBytes } = source;
    const rowBytes = Math.max(storedRowBytes, ...planeRowBytes, 1);
    const pieceRows = Math.max(
      ROWS_MULTIPLE,
      Math.floor(PIECE_BYTES / rowBytes / ROWS_MULTIPLE) * ROWS_MULTIPLE,
    );
    for (const [index, shard] of shardSource(
      source,
      tensor.name,
      this.#gpu.capabilities,
    ).entries()) {
      for (let row = 0; row < shard.rows; row += pieceRows) {
        signal?.throwIfAborted();
        const count = Math.min(pieceRows, shard.rows - row);
        const planes = await source.read(shard.firstRow + row, count, signal);
        this.#gpu.assertUsable();
        this.#write(source, index, shard, row, planes);
        report(count * storedRowBytes);
        if (this.#stagedBytes >= STAGED_BYTES) await this.#drain();
      }
    }
  }

  #write(source: RowSource, shardIndex: number, shard: Shard, row: number, planes: Uint8Array[]) {
    planes.forEach((bytes, plane) => {
      const buffer = this.#buffers.get(source)?.[shardIndex]?.[plane];
      const rowBytes = source.planeRowBytes[plane];
      if (buffer === undefined || rowBytes === undefined) {
        throw new Error(
          `constants: shard ${shardIndex} of ${shard.rows} rows has no plane ${plane}`,
        );
      }
      let data = bytes;
      // Only the last piece may end within a word.
      if (bytes.byteLength % 4 !== 0) {
        data = new Uint8Array(Math.ceil(bytes.byteLength / 4) * 4);
        data.set(bytes);
      }
      this.#gpu.queue.writeBuffer(buffer, row * rowBytes, data as Uint8Array<ArrayBuffer>);
      this.#stagedBytes += data.byteLength;
    });
  }

  async #drain(): Promise<void> {
    await this.#gpu.idle();
    this.#stagedBytes = 0;
  }

  #free(source: RowSource): void {
    for (const planes of this.#buffers.get(source) ?? []) {
      for (const buffer of planes) this.#gpu.destroyBuffer(buffer);
    }
    this.#buffers.delete(source);
  }

  dispose(): void {
    // Deleting while iterating a map is well defined.
    for (const source of this.#buffers.keys()) this.#free(source);
  }
}
