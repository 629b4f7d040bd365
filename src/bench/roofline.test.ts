import { expect, test } from "vitest";
import type { Work } from "../gpu/work.ts";
import type { ProfiledRun } from "../profile/profile.ts";
import { limitOf, rooflineOf } from "./roofline.ts";
import type { Ceilings } from "./roofline.ts";

/** A byte a nanosecond, ten operations in f32, a hundred on matrices. */
const CEILINGS: Ceilings = {
  bytesPerSecond: 1e9,
  operationsPerSecond: { f32: 1e10, "subgroup-matrix": 1e11 },
};

const work = (bytes: number, operations = 0, unit: Work["unit"] = "f32", shape = ""): Work => ({
  bytes,
  operations,
  unit,
  shape,
});

test("the longer of moving and computing limits", () => {
  expect(limitOf(work(1000, 1000), CEILINGS)).toEqual({ ns: 1000, bound: "memory" });
  expect(limitOf(work(1000, 50_000), CEILINGS)).toEqual({ ns: 5000, bound: "f32" });
  expect(limitOf(work(100, 50_000, "subgroup-matrix"), CEILINGS)).toEqual({
    ns: 500,
    bound: "subgroup-matrix",
  });
  // Not measured: as f32.
  expect(limitOf(work(1000, 50_000, "integer-dot"), CEILINGS).ns).toBe(5000);
});

function run(...dispatches: [kernel: string, durationNs: number, work: Work][]): ProfiledRun {
  return {
    phase: "decode",
    position: 0,
    tokens: 1,
    records: dispatches.map(([kernel, durationNs, work], index) => ({
      index,
      kernel,
      grid: [1, 1, 1],
      workgroup: [64, 1, 1],
      work,
      startNs: 0,
      endNs: durationNs,
      durationNs,
    })),
  };
}

test("kernels are summed by name and shape, and compared with their bound", () => {
  const small = work(1000, 2000, "f32", "8 → 8");
  const large = work(4000, 400_000, "f32", "8 → 64");
  const samples = [2000, 3000, 100_000].map((ns) => [
    run(["gemv", ns, small], ["gemv", ns, small], ["gemv", 80_000, large]),
  ]);
  const [first, second] = rooflineOf(samples, CEILINGS);
  expect(first).toMatchObject({
    kernel: "gemv",
    shape: "8 → 64",
    calls: 1,
    bytes: 4000,
    operations: 400_000,
    gigabytesPerSecond: 0.05,
    teraoperationsPerSecond: 0.005,
    bound: "f32",
    ofBound: 0.5,
  });
  expect(second).toMatchObject({ shape: "8 → 8", calls: 2, bytes: 1000, bound: "memory" });
  // Medians, so that the slow sample changes nothing.
  expect(second?.microseconds).toMatchObject({ median: 3, min: 2, max: 100 });
  expect(second?.ofBound).toBeCloseTo(1 / 3);
  expect(second?.share).toBeCloseTo(6 / 86);
});

test("a prompt's chunks are one sample", () => {
  const chunk = run(["gemm", 10, work(10)]);
  const [gemm] = rooflineOf([[chunk, chunk]], CEILINGS);
  expect(gemm).toMatchObject({ calls: 2, bytes: 10, gigabytesPerSecond: 1, ofBound: 1 });
});

test("nothing measured is no kernels", () => {
  expect(rooflineOf([], CEILINGS)).toEqual([]);
});
