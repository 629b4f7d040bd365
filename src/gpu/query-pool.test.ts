import { describe, expect, test } from "vitest";
import { DispatchClock } from "./query-pool.ts";
import type { TimedDispatch } from "./query-pool.ts";
import { NO_WORK } from "./work.ts";

const timed = (begin: number, end: number, offset = 0n): TimedDispatch => ({
  kernel: "k",
  grid: [1, 1, 1],
  workgroup: [64, 1, 1],
  work: NO_WORK,
  begin: BigInt(begin) + offset,
  end: BigInt(end) + offset,
});

const durations = (...pairs: [begin: number, end: number][]) =>
  new DispatchClock()
    .measure(pairs.map(([begin, end]) => timed(begin, end)))
    .map(({ durationNs }) => durationNs);

describe("DispatchClock", () => {
  test("takes end minus begin where dispatches are apart", () => {
    expect(durations([100, 150], [160, 200])).toEqual([50, 40]);
  });

  test("begins that are pinned to an earlier time count from the latest end", () => {
    expect(durations([100, 150], [100, 180], [100, 260])).toEqual([50, 30, 80]);
  });

  test("the latest end is not always that of the dispatch before", () => {
    expect(durations([100, 300], [100, 200], [100, 350])).toEqual([200, 0, 50]);
  });

  test("is never negative", () => {
    expect(durations([100, 90], [0, 0], [80, 120])).toEqual([0, 0, 30]);
  });

  test("goes on from one submit to the next, with indices and times", () => {
    // A clock since the epoch: the difference of nanoseconds is exact, the values are not.
    const epoch = 1_800_000_000_000_000_001n;
    const clock = new DispatchClock();
    expect(clock.measure([timed(5, 10, epoch)])).toMatchObject([
      { index: 0, startNs: 0, endNs: 5, durationNs: 5 },
    ]);
    expect(clock.measure([timed(5, 12, epoch), timed(14, 15, epoch)])).toMatchObject([
      { index: 1, startNs: 0, endNs: 7, durationNs: 2 },
      { index: 2, startNs: 9, endNs: 10, durationNs: 1 },
    ]);
  });
});
