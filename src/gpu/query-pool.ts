import { RequestError } from "../errors.ts";
import type { GpuDevice } from "./device.ts";
import type { Grid, Kernel } from "./kernel.ts";
import { ReadbackRing } from "./readback-ring.ts";
import { NO_WORK } from "./work.ts";
import type { Work } from "./work.ts";
import { workgroupSize } from "./workgroup-size.ts";

/** What one dispatch was and how long it took. Times are nanoseconds of the GPU's clock. */
export interface DispatchRecord {
  /** From 0, in the order of execution. */
  readonly index: number;
  /** The kernel's label, such as `linear_q4gsw_gemv`. */
  readonly kernel: string;
  /** Workgroups along x, y and z. */
  readonly grid: Grid;
  /** Invocations of a workgroup along x, y and z. */
  readonly workgroup: Grid;
  /** What there was to do at the least. */
  readonly work: Work;
  /** As the driver wrote it; 0 is the first timestamp of all. May lie before the previous end. */
  readonly startNs: number;
  readonly endNs: number;
  /** `endNs` minus `startNs` or the latest end of an earlier dispatch, whichever is later; ≥ 0. */
  readonly durationNs: number;
}

/** A dispatch and the two raw timestamps of its pass. */
export interface TimedDispatch {
  readonly kernel: string;
  readonly grid: Grid;
  readonly workgroup: Grid;
  readonly work: Work;
  readonly begin: bigint;
  readonly end: bigint;
}

/**
 * Turns raw timestamps, in order of execution, into records. Some drivers take a pass's begin when
 * its commands are fetched rather than when they start, which counts all the work before it: so a
 * dispatch is taken to start no earlier than the latest end before it.
 */
export class DispatchClock {
  #origin: bigint | undefined;
  #latestEnd = 0n;
  #count = 0;

  /** Records of the dispatches that ran next. */
  measure(dispatches: readonly TimedDispatch[]): DispatchRecord[] {
    return dispatches.map(({ begin, end, ...dispatch }) => {
      this.#origin ??= begin;
      const from = begin > this.#latestEnd ? begin : this.#latestEnd;
      if (end > this.#latestEnd) this.#latestEnd = end;
      return {
        index: this.#count++,
        ...dispatch,
        startNs: Number(begin - this.#origin),
        endNs: Number(end - this.#origin),
        durationNs: end > from ? Number(end - from) : 0,
      };
    });
  }
}

/** WebGPU's limit for one query set; a dispatch takes two. */
const MAX_QUERIES_PER_SET = 4096;
const QUERIES_PER_DISPATCH = 2;
const TIMESTAMP_BYTES = 8;

/** Timestamps on their way to the CPU. */
export interface TimestampReadback {
  /** Resolves once the GPU has run the dispatches. Call it after the submit. */
  read(): Promise<TimedDispatch[]>;
}

/**
 * Timestamps around the dispatches of a submit. WebGPU writes them at the bounds of a pass only, so
 * every dispatch needs a pass of its own, made with what {@link bracket} returns. Needs a device
 * with `timestamp-query`.
 */
export class QueryPool {
  /** Dispatches that fit between two calls of {@link resolve}. */
  readonly capacity: number;
  readonly #sets: readonly GPUQuerySet[];
  readonly #resolved: GPUBuffer;
  readonly #readbacks: ReadbackRing;
  readonly #gpu: GpuDevice;
  readonly #label: string;
  #dispatches: Omit<TimedDispatch, "begin" | "end">[] = [];

  constructor(gpu: GpuDevice, label: string, capacity: number) {
    this.capacity = capacity;
    this.#gpu = gpu;
    this.#label = label;
    const queries = capacity * QUERIES_PER_DISPATCH;
    this.#sets = Array.from({ length: Math.ceil(queries / MAX_QUERIES_PER_SET) }, (_, set) =>
      gpu.device.createQuerySet({
        label: `${label}.${set}`,
        type: "timestamp",
        count: Math.min(MAX_QUERIES_PER_SET, queries - set * MAX_QUERIES_PER_SET),
      }),
    );
    const bytes = queries * TIMESTAMP_BYTES;
    this.#resolved = gpu.createBuffer(
      `${label}.resolved`,
      bytes,
      GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    );
    this.#readbacks = new ReadbackRing(gpu, label, bytes);
  }

  /** The timestamps of the next dispatch's pass. Throws `RequestError` past the capacity. */
  bracket(kernel: Kernel, grid: Grid, work: Work = NO_WORK): GPUComputePassTimestampWrites {
    return this.#next({ kernel: kernel.label, grid, workgroup: workgroupSize(kernel), work });
  }

  /** The timestamps of a pass of many dispatches, which becomes one record named `label`. */
  bracketPass(label: string): GPUComputePassTimestampWrites {
    return this.#next({ kernel: label, grid: [1, 1, 1], workgroup: [1, 1, 1], work: NO_WORK });
  }

  #next(dispatch: Omit<TimedDispatch, "begin" | "end">): GPUComputePassTimestampWrites {
    const index = this.#dispatches.length;
    if (index >= this.capacity) {
      throw new RequestError(
        `profile: "${dispatch.kernel}" is dispatch ${index + 1} of a submit; ` +
          `the query pool "${this.#label}" holds ${this.capacity}`,
      );
    }
    this.#dispatches.push(dispatch);
    const query = index * QUERIES_PER_DISPATCH;
    return {
      querySet: this.#sets[Math.floor(query / MAX_QUERIES_PER_SET)]!,
      beginningOfPassWriteIndex: query % MAX_QUERIES_PER_SET,
      endOfPassWriteIndex: (query % MAX_QUERIES_PER_SET) + 1,
    };
  }

  /** Encodes the way of all timestamps to the CPU, and empties the pool for the next submit. */
  resolve(encoder: GPUCommandEncoder): TimestampReadback {
    const dispatches = this.#dispatches;
    this.#dispatches = [];
    const queries = dispatches.length * QUERIES_PER_DISPATCH;
    if (queries === 0) return { read: () => Promise.resolve([]) };
    this.#sets.forEach((set, index) => {
      const first = index * MAX_QUERIES_PER_SET;
      const count = Math.min(MAX_QUERIES_PER_SET, queries - first);
      if (count <= 0) return;
      encoder.resolveQuerySet(set, 0, count, this.#resolved, first * TIMESTAMP_BYTES);
    });
    const readback = this.#readbacks.copy(encoder, this.#resolved, 0, queries * TIMESTAMP_BYTES);
    return {
      read: async () => {
        const timestamps = new BigUint64Array(await readback.read());
        return dispatches.map((dispatch, index) => ({
          ...dispatch,
          begin: timestamps[index * QUERIES_PER_DISPATCH]!,
          end: timestamps[index * QUERIES_PER_DISPATCH + 1]!,
        }));
      },
    };
  }

  dispose(): void {
    for (const set of this.#sets) set.destroy();
    this.#gpu.destroyBuffer(this.#resolved);
    this.#readbacks.dispose();
  }
}
