/** How many bytes a second the device reads from its memory. */
import type { Capabilities } from "../../gpu/capabilities.ts";
import type { GpuDevice } from "../../gpu/device.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { Checks } from "../checks.ts";
import { KernelTimer } from "../kernel-timer.ts";
import { measurementOf } from "../statistics.ts";
import type { Measurement } from "../statistics.ts";
import { warmUp } from "../warm-up.ts";
import fillPattern from "./fill-pattern.wgsl";
import readBandwidth from "./read-bandwidth.wgsl";

/** More than any cache holds; less where the device does not bind as much. */
const BYTES = 2 ** 29;
const SMALL_BYTES = 2 ** 24;
const LANES = 256;
/** Workgroups to try: devices differ in how many they want in flight. */
const WORKGROUPS = [512, 1024, 2048, 4096, 8192] as const;
const VECTOR_BYTES = 16;
/** As fill-pattern.wgsl has it. */
const MULTIPLIER = 2_654_435_761n;

export interface BandwidthCeiling {
  readonly bytesPerSecond: Measurement;
  /** Of the buffer that was read. */
  readonly bytes: number;
  readonly workgroups: number;
}

/** A power of two, so that any grid divides it. */
function bufferBytes({ limits }: Capabilities, small: boolean): number {
  const limit = Math.min(
    small ? SMALL_BYTES : BYTES,
    limits.maxBufferSize,
    limits.maxStorageBufferBindingSize,
  );
  return 2 ** Math.floor(Math.log2(limit));
}

/** The sum of all words of the pattern, modulo 2^32. */
function patternSum(words: number): number {
  const n = BigInt(words);
  return Number((MULTIPLIER * ((n * (n - 1n)) / 2n)) % 2n ** 32n);
}

/** Reads a large buffer with grids of several sizes; the fastest counts. `small`: of a size for a CPU. */
export async function measureReadBandwidth(
  gpu: GpuDevice,
  runs: number,
  small: boolean,
  checks: Checks,
): Promise<BandwidthCeiling> {
  const timer = new KernelTimer(gpu, runs);
  try {
    const bytes = bufferBytes(gpu.capabilities, small);
    const count = bytes / VECTOR_BYTES;
    const data = timer.buffer("read bandwidth", bytes);
    const options = { overrides: { WORKGROUP_SIZE: LANES } };
    const fill = defineKernel({ label: "bench_fill_pattern", parts: [fillPattern], ...options });
    const read = defineKernel({ label: "bench_read", parts: [readBandwidth], ...options });
    await timer.time({ kernel: fill, buffers: { data }, params: { count }, grid: [1024, 1, 1] }, 1);
    let best: BandwidthCeiling | undefined;
    for (const workgroups of WORKGROUPS) {
      const lanes = workgroups * LANES;
      if (count % (4 * lanes) !== 0) continue;
      const sums = timer.buffer("sums", 4 * lanes);
      const probe = {
        kernel: read,
        buffers: { data, sums },
        params: { count },
        grid: [workgroups, 1, 1] as const,
      };
      await warmUp(small, () => timer.time(probe, 1));
      const times = await timer.time(probe, runs);
      const words = new Uint32Array(await timer.read(sums, 0, 4 * lanes));
      const sum = words.reduce((total, word) => (total + word) >>> 0, 0);
      const expected = patternSum(bytes / 4);
      checks.add(
        `${read.label} of ${bytes} bytes with ${workgroups} workgroups`,
        sum === expected,
        `words add up to ${sum}, must be ${expected}`,
      );
      const bytesPerSecond = measurementOf(times.map((ns) => (bytes / Math.max(1, ns)) * 1e9));
      if (best === undefined || bytesPerSecond.median > best.bytesPerSecond.median) {
        best = { bytesPerSecond, bytes, workgroups };
      }
    }
    if (best === undefined) throw new Error(`bench: ${bytes} bytes are too few to read`);
    return best;
  } finally {
    timer.dispose();
  }
}
