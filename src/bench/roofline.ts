/** Kernels against what the device can do: which ceiling applies, and how close they come. */
import type { DispatchRecord } from "../gpu/query-pool.ts";
import type { ArithmeticUnit } from "../gpu/work.ts";
import type { ProfiledRun } from "../profile/profile.ts";
import { measurementOf } from "./statistics.ts";
import type { Measurement } from "./statistics.ts";

/** The device's ceilings, a second. */
export interface Ceilings {
  readonly bytesPerSecond: number;
  /** By unit; one that was not measured is absent. */
  readonly operationsPerSecond: Readonly<Partial<Record<ArithmeticUnit, number>>>;
}

/** What limits a kernel: memory, or the unit it computes on. */
export type Bound = "memory" | ArithmeticUnit;

/** The least time some work takes, and why. */
export interface Limit {
  readonly ns: number;
  readonly bound: Bound;
}

/** The longer of the time to move the bytes and the time to compute. */
export function limitOf(
  work: {
    readonly bytes: number;
    readonly operations: number;
    readonly unit: ArithmeticUnit;
  },
  { bytesPerSecond, operationsPerSecond }: Ceilings,
): Limit {
  const memoryNs = (work.bytes / bytesPerSecond) * 1e9;
  // A unit without a figure of its own computes at least as fast as f32 does.
  const rate = operationsPerSecond[work.unit] ?? operationsPerSecond.f32;
  const computeNs = rate === undefined ? 0 : (work.operations / rate) * 1e9;
  return computeNs > memoryNs
    ? { ns: computeNs, bound: work.unit }
    : { ns: memoryNs, bound: "memory" };
}

/** All dispatches of one kernel on operands of one shape. Figures are of one call. */
export interface KernelRoofline {
  readonly kernel: string;
  readonly shape: string;
  readonly unit: ArithmeticUnit;
  /** In a step, or in a whole prompt. */
  readonly calls: number;
  readonly microseconds: Measurement;
  readonly bytes: number;
  readonly operations: number;
  readonly gigabytesPerSecond: number;
  readonly teraoperationsPerSecond: number;
  readonly bound: Bound;
  /** Part of the bound that is reached: the least time over the time it took. */
  readonly ofBound: number;
  /** Of the time of all kernels. */
  readonly share: number;
}

interface Sum {
  readonly record: DispatchRecord;
  /** By sample, in nanoseconds. */
  readonly ns: number[];
  calls: number;
  bytes: number;
  operations: number;
  limitNs: number;
  /** Time at the least by what bounds it. */
  readonly bounds: Map<Bound, number>;
}

/**
 * Sums by kernel and shape. A sample is what is measured again and again: the dispatches of a step, or
 * of a prompt's chunks together.
 */
export function rooflineOf(
  samples: readonly (readonly ProfiledRun[])[],
  ceilings: Ceilings,
): KernelRoofline[] {
  const sums = new Map<string, Sum>();
  samples.forEach((runs, sample) => {
    for (const record of runs.flatMap(({ records }) => records)) {
      const { kernel, work, durationNs } = record;
      const key = `${kernel} ${work.shape}`;
      const sum = sums.get(key) ?? {
        record,
        ns: samples.map(() => 0),
        calls: 0,
        bytes: 0,
        operations: 0,
        limitNs: 0,
        bounds: new Map<Bound, number>(),
      };
      sums.set(key, sum);
      const { ns, bound } = limitOf(work, ceilings);
      sum.ns[sample] = (sum.ns[sample] ?? 0) + durationNs;
      sum.calls += 1;
      sum.bytes += work.bytes;
      sum.operations += work.operations;
      sum.limitNs += ns;
      sum.bounds.set(bound, (sum.bounds.get(bound) ?? 0) + ns);
    }
  });
  const count = samples.length;
  const medianNs = ({ ns }: Sum) => measurementOf(ns).median;
  const totalNs = [...sums.values()].reduce((total, sum) => total + medianNs(sum), 0);
  return [...sums.values()]
    .sort((a, b) => medianNs(b) - medianNs(a))
    .map((sum): KernelRoofline => {
      const { record, ns, calls, bytes, operations, limitNs, bounds } = sum;
      const perSample = calls / count;
      const took = Math.max(1, medianNs(sum));
      return {
        kernel: record.kernel,
        shape: record.work.shape,
        unit: record.work.unit,
        calls: perSample,
        microseconds: measurementOf(ns.map((value) => value / perSample / 1000)),
        bytes: bytes / calls,
        operations: operations / calls,
        gigabytesPerSecond: bytes / count / took,
        teraoperationsPerSecond: operations / count / took / 1000,
        bound: [...bounds].reduce((a, b) => (b[1] > a[1] ? b : a))[0],
        ofBound: limitNs / count / took,
        share: totalNs === 0 ? 0 : medianNs(sum) / totalNs,
      };
    });
}
