import type { GpuDevice } from "../gpu/device.ts";
import { DispatchClock, QueryPool } from "../gpu/query-pool.ts";
import type { TimedDispatch, TimestampReadback } from "../gpu/query-pool.ts";
import type { Executor } from "../graph/executor.ts";
import type { SymIntValues } from "../graph/symint.ts";
import type { ProfiledRun } from "../profile/profile.ts";

/** What a submit computes. */
export type ProfiledWork = Omit<ProfiledRun, "records">;

/**
 * What gets a time of its own. `dispatch`: each, in a pass of its own, which keeps dispatches from
 * overlapping. `run`: a whole submit, in its one pass as without a profiler.
 */
export type ProfilerGranularity = "dispatch" | "run";

/** Takes the times of every dispatch of a request. Dispose it after {@link finish}. */
export class Profiler {
  readonly #pool: QueryPool;
  readonly #granularity: ProfilerGranularity;
  readonly #runs: { readonly work: ProfiledWork; readonly timed: Promise<TimedDispatch[]> }[] = [];

  /** `capacity`: dispatches of the longest plan. The device must have timestamps. */
  constructor(gpu: GpuDevice, capacity: number, granularity: ProfilerGranularity = "dispatch") {
    this.#granularity = granularity;
    this.#pool = new QueryPool(gpu, "profile", granularity === "run" ? 1 : capacity);
  }

  /** Encodes the executor's dispatches with timestamps; `values` are those of its last update. */
  encode(encoder: GPUCommandEncoder, executor: Executor, values: SymIntValues): TimestampReadback {
    if (this.#granularity === "dispatch") {
      executor.encodeTimed(encoder, this.#pool, values);
    } else {
      const label = executor.plan.name;
      const pass = encoder.beginComputePass({
        label,
        timestampWrites: this.#pool.bracketPass(label),
      });
      executor.encode(pass);
      pass.end();
    }
    return this.#pool.resolve(encoder);
  }

  /** Says that what was encoded has been submitted, and what it was. */
  submitted(work: ProfiledWork, readback: TimestampReadback): void {
    const timed = readback.read();
    // Awaited at the end; a failure meanwhile must not count as unhandled.
    timed.catch(() => {});
    this.#runs.push({ work, timed });
  }

  /** The records of everything submitted, in order. Rejects with `DeviceError`. */
  async finish(): Promise<ProfiledRun[]> {
    const clock = new DispatchClock();
    const runs: ProfiledRun[] = [];
    for (const { work, timed } of this.#runs) {
      runs.push({ ...work, records: clock.measure(await timed) });
    }
    return runs;
  }

  dispose(): void {
    this.#pool.dispose();
  }
}
