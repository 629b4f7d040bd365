import { describe, expect, test } from "vitest";
import { choose, MARGIN, median, promising, score } from "./selection.ts";
import type { CandidateTimes } from "./selection.ts";

const timed = (name: string, ...trials: number[][]): CandidateTimes => ({ name, trials });

test("the median bears outliers", () => {
  expect(median([3, 1, 1000])).toBe(3);
  expect(median([1, 3, 2, 1000])).toBe(2.5);
});

test("a short trial counts as much as a long one", () => {
  const halvesTheShort = score(timed("a", [5], [1000]));
  const halvesTheLong = score(timed("b", [10], [500]));
  expect(halvesTheShort).toBeCloseTo(halvesTheLong);
});

describe("a choice", () => {
  const preferred = timed("default", [100, 101, 99]);

  test("needs more than the margin", () => {
    const barely = 100 * (1 - MARGIN / 2);
    const clearly = 100 * (1 - 2 * MARGIN);
    expect(choose([preferred, timed("other", [barely])], "default")).toBe("default");
    expect(choose([preferred, timed("other", [clearly])], "default")).toBe("other");
  });

  test("is the fastest of those beyond it", () => {
    const others = [timed("a", [90]), timed("b", [80]), timed("c", [85])];
    expect(choose([preferred, ...others], "default")).toBe("b");
  });

  test("needs no default, which may be broken on a device", () => {
    expect(choose([timed("a", [90]), timed("b", [80])], "default")).toBe("b");
    expect(choose([], "default")).toBeUndefined();
  });
});

test("the default stays in the race however slow it is", () => {
  const all = [timed("default", [100]), timed("fast", [10]), timed("close", [11])];
  const names = promising(all, "default", 1.05).map(({ name }) => name);
  expect(names).toEqual(["default", "fast"]);
});
