import type { GpuDevice } from "../gpu/device.ts";
import type { Grid, Kernel } from "../gpu/kernel.ts";
import { DispatchClock, QueryPool } from "../gpu/query-pool.ts";
import { ParamsArena } from "../gpu/params-arena.ts";
import { ReadbackRing } from "../gpu/readback-ring.ts";

/** A kernel with everything it is dispatched with. */
export interface Probe {
  readonly kernel: Kernel;
  /** By WGSL name, uniforms apart. */
  readonly buffers: Readonly<Record<string, GPUBuffer>>;
  readonly params: Readonly<Record<string, number>>;
  readonly grid: Grid;
}

const NS_PER_MS = 1e6;

/** Times single kernels on the GPU; owns the buffers it makes. Dispose it at the end. */
export class KernelTimer {
  readonly #gpu: GpuDevice;
  readonly #pool: QueryPool | undefined;
  readonly #buffers: GPUBuffer[] = [];
  readonly #params: ParamsArena[] = [];

  /** `capacity`: most dispatches of one call of {@link time}. */
  constructor(gpu: GpuDevice, capacity: number) {
    this.#gpu = gpu;
    this.#pool = gpu.capabilities.timestamps ? new QueryPool(gpu, "bench", capacity) : undefined;
  }

  /** A storage buffer that lives as long as this. */
  buffer(label: string, bytes: number): GPUBuffer {
    const buffer = this.#gpu.createStorageBuffer(`bench.${label}`, bytes);
    this.#buffers.push(buffer);
    return buffer;
  }

  /**
   * Dispatches a probe `count` times in one submit; nanoseconds of each. Without timestamps one submit
   * each, by the wall clock.
   */
  async time(probe: Probe, count: number): Promise<number[]> {
    const dispatch = await this.#prepare(probe);
    if (this.#pool === undefined) return this.#timeByWall(probe, dispatch, count);
    const pool = this.#pool;
    const encoder = this.#gpu.device.createCommandEncoder({ label: probe.kernel.label });
    for (let i = 0; i < count; i++) {
      const timestampWrites = pool.bracket(probe.kernel, probe.grid);
      dispatch(encoder.beginComputePass({ label: probe.kernel.label, timestampWrites }));
    }
    const readback = pool.resolve(encoder);
    this.#gpu.queue.submit([encoder.finish()]);
    const records = new DispatchClock().measure(await readback.read());
    return records.map(({ durationNs }) => durationNs);
  }

  async #timeByWall(
    { kernel }: Probe,
    dispatch: (pass: GPUComputePassEncoder) => void,
    count: number,
  ): Promise<number[]> {
    const times: number[] = [];
    for (let i = 0; i < count; i++) {
      const encoder = this.#gpu.device.createCommandEncoder({ label: kernel.label });
      dispatch(encoder.beginComputePass({ label: kernel.label }));
      const began = performance.now();
      this.#gpu.queue.submit([encoder.finish()]);
      await this.#gpu.idle();
      times.push((performance.now() - began) * NS_PER_MS);
    }
    return times;
  }

  async #prepare({ kernel, buffers, params, grid }: Probe) {
    const compiled = await this.#gpu.pipelines.get(kernel);
    const arena = new ParamsArena(this.#gpu, "bench.params", [compiled]);
    this.#params.push(arena);
    arena.update(0, params);
    arena.flush();
    const bindGroup = arena.createBindGroup(0, kernel.label, (name) => {
      const buffer = buffers[name];
      if (buffer === undefined) throw new Error(`${kernel.label}: "${name}" is not bound`);
      return { buffer };
    });
    return (pass: GPUComputePassEncoder): void => {
      pass.setPipeline(compiled.pipeline);
      pass.setBindGroup(0, bindGroup);
      arena.encode(pass, 0);
      pass.dispatchWorkgroups(...grid);
      pass.end();
    };
  }

  /** Bytes of a buffer, from `offset` on. */
  async read(buffer: GPUBuffer, offset: number, bytes: number): Promise<ArrayBuffer> {
    const ring = new ReadbackRing(this.#gpu, "bench.read", bytes);
    try {
      const encoder = this.#gpu.device.createCommandEncoder({ label: "bench.read" });
      const readback = ring.copy(encoder, buffer, offset, bytes);
      this.#gpu.queue.submit([encoder.finish()]);
      return await readback.read();
    } finally {
      ring.dispose();
    }
  }

  dispose(): void {
    this.#pool?.dispose();
    for (const arena of this.#params) arena.dispose();
    this.#params.length = 0;
    for (const buffer of this.#buffers) this.#gpu.destroyBuffer(buffer);
    this.#buffers.length = 0;
  }
}
