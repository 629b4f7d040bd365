import { describe, expect, test } from "vitest";
import { timeInRounds } from "./rounds.ts";
import type { Sample, Stopwatch } from "./rounds.ts";
import { choose } from "./selection.ts";

interface Named {
  readonly name: string;
}

/** Times that are known, with a clock that drifts, and a record of what was asked for. */
function stopwatchFor(times: Readonly<Record<string, readonly number[]>>) {
  const samples: Sample<Named>[] = [];
  const stopwatch: Stopwatch<Named> = {
    sampleNs: 1e6,
    warmUpNs: 0,
    time: (asked) => {
      // Each round is slower than the one before: a GPU that gets warm.
      const drift = 1 + samples.length / 200;
      samples.push(...asked);
      return Promise.resolve(
        asked.map(({ candidate, trial }) => drift * (times[candidate.name]?.[trial] ?? 0)),
      );
    },
  };
  return { stopwatch, samples };
}

const named = (...names: string[]): Named[] => names.map((name) => ({ name }));
const never = { expired: () => false };

describe("rounds", () => {
  test("find the fastest although the clock drifts", async () => {
    const { stopwatch } = stopwatchFor({ default: [100], a: [96], b: [90], c: [300] });
    const times = await timeInRounds(
      stopwatch,
      named("default", "a", "b", "c"),
      1,
      "default",
      never,
    );
    expect(choose(times ?? [], "default")).toBe("b");
  });

  test("begin once the device has worked for long enough", async () => {
    const { stopwatch, samples } = stopwatchFor({ default: [1000], a: [950] });
    const warm = { ...stopwatch, warmUpNs: 10e6 };
    await timeInRounds(warm, named("default", "a"), 1, "default", never);
    // One look at each, then ten samples of 1 ms or less often as the clock drifts.
    const before = samples.slice(2).findIndex(({ candidate }) => candidate.name === "a");
    const calls = samples.slice(2, 2 + before).map((sample) => sample.calls);
    expect(calls.reduce((sum, count) => sum + count * 1000, 0)).toBeGreaterThan(9e6);

    let asked = 0;
    const expiring = { expired: () => ++asked > 4 };
    expect(await timeInRounds(warm, named("default", "a"), 1, "default", expiring)).toBeUndefined();
  });

  test("leave out what is far behind", async () => {
    const { stopwatch, samples } = stopwatchFor({ default: [100], close: [95], slow: [1000] });
    await timeInRounds(stopwatch, named("default", "close", "slow"), 1, "default", never);
    const count = (name: string) =>
      samples.filter(({ candidate }) => candidate.name === name).length;
    expect(count("slow")).toBe(2);
    expect(count("default")).toBeGreaterThan(3);
    expect(count("close")).toBe(count("default"));
  });

  test("take as many calls a sample as the fastest needs", async () => {
    const { stopwatch, samples } = stopwatchFor({ default: [10_000, 2e5], a: [5000, 4e5] });
    await timeInRounds(stopwatch, named("default", "a"), 2, "default", never);
    const last = samples.slice(-2).map(({ calls }) => calls);
    expect(last[0]).toBeGreaterThan(150);
    expect(last[1]).toBe(5);
  });

  test.each([
    [0, false],
    [3, false],
    [5, true],
  ])("after %i checks of the time there are grounds: %s", async (checks, grounds) => {
    let done = 0;
    const deadline = { expired: () => done++ >= checks };
    const { stopwatch } = stopwatchFor({ default: [100], a: [50] });
    const times = await timeInRounds(stopwatch, named("default", "a"), 1, "default", deadline);
    expect(times !== undefined).toBe(grounds);
  });
});
