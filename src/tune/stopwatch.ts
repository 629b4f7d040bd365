/** How long calls take on the GPU: by its own clock, or by ours. */
import type { GpuDevice } from "../gpu/device.ts";
import { DispatchClock, QueryPool } from "../gpu/query-pool.ts";
import type { PreparedCandidate } from "./prepared-candidate.ts";
import type { Sample, Stopwatch } from "./rounds.ts";

/** A stopwatch that holds GPU memory. Its times reject with `DeviceError`. */
export interface GpuStopwatch extends Stopwatch<PreparedCandidate> {
  dispose(): void;
}

type GpuSample = Sample<PreparedCandidate>;

/**
 * A GPU lowers its clocks while candidates compile, and may take a third of a second of work to raise them (an
 * H200 ran prompts at a third of its speed for so long); a CPU does neither.
 */
const WARM_UP_NS = 4e8;

const warmUpNs = ({ capabilities }: GpuDevice): number => (capabilities.software ? 0 : WARM_UP_NS);

/** Most samples that are under way at once. */
const BATCH = 32;

/**
 * With timestamps around each sample's pass. Browsers round them to 0.1 ms, which samples of 2 ms
 * and their median bear.
 */
class TimestampStopwatch implements GpuStopwatch {
  readonly sampleNs = 2e6;
  readonly warmUpNs: number;
  readonly #gpu: GpuDevice;
  readonly #pool: QueryPool;
  readonly #clock = new DispatchClock();

  constructor(gpu: GpuDevice) {
    this.#gpu = gpu;
    this.warmUpNs = warmUpNs(gpu);
    this.#pool = new QueryPool(gpu, "tune", 1);
  }

  async time(samples: readonly GpuSample[]): Promise<number[]> {
    const times: number[] = [];
    for (let first = 0; first < samples.length; first += BATCH) {
      const batch = samples.slice(first, first + BATCH);
      const readbacks = batch.map((sample) => this.#submit(sample).read());
      for (const [index, timed] of (await Promise.all(readbacks)).entries()) {
        const durationNs = this.#clock
          .measure(timed)
          .reduce((sum, record) => sum + record.durationNs, 0);
        // At least something: clocks that are rounded may show nothing.
        times.push(Math.max(1, durationNs / batch[index]!.calls));
      }
    }
    return times;
  }

  #submit({ candidate, trial, calls }: GpuSample) {
    const encoder = this.#gpu.device.createCommandEncoder({ label: candidate.name });
    const pass = encoder.beginComputePass({
      label: candidate.name,
      timestampWrites: this.#pool.bracket(candidate.kernel, candidate.grid(trial)),
    });
    candidate.encode(pass, trial, calls);
    pass.end();
    const readback = this.#pool.resolve(encoder);
    this.#gpu.queue.submit([encoder.finish()]);
    return readback;
  }

  dispose(): void {
    this.#pool.dispose();
  }
}

/** By the time from submit to completion, less what an empty one takes. */
class WallClockStopwatch implements GpuStopwatch {
  readonly sampleNs = 1e7;
  readonly warmUpNs: number;
  readonly #gpu: GpuDevice;
  #overheadMs: number | undefined;

  constructor(gpu: GpuDevice) {
    this.#gpu = gpu;
    this.warmUpNs = warmUpNs(gpu);
  }

  async time(samples: readonly GpuSample[]): Promise<number[]> {
    this.#overheadMs ??= Math.min(
      await this.#run(() => {}),
      await this.#run(() => {}),
      await this.#run(() => {}),
    );
    const times: number[] = [];
    for (const { candidate, trial, calls } of samples) {
      const ms = await this.#run((pass) => candidate.encode(pass, trial, calls));
      times.push(Math.max(1, (1e6 * (ms - this.#overheadMs)) / calls));
    }
    return times;
  }

  async #run(encode: (pass: GPUComputePassEncoder) => void): Promise<number> {
    const encoder = this.#gpu.device.createCommandEncoder({ label: "tune" });
    const pass = encoder.beginComputePass({ label: "tune" });
    encode(pass);
    pass.end();
    const commands = encoder.finish();
    const start = performance.now();
    this.#gpu.queue.submit([commands]);
    await this.#gpu.idle();
    return performance.now() - start;
  }

  dispose(): void {}
}

/** The best clock the device has. */
export function createStopwatch(gpu: GpuDevice): GpuStopwatch {
  return gpu.capabilities.timestamps ? new TimestampStopwatch(gpu) : new WallClockStopwatch(gpu);
}
