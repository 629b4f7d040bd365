import { expect, test } from "vitest";
import type { LoadProgress } from "../api.ts";
import { ProgressBar } from "./progress-bar.ts";

const half: LoadProgress = { status: "weights", file: "m", loaded: 2 ** 20, total: 2 ** 21 };

function bar(isTTY: boolean) {
  const written: string[] = [];
  let now = 0;
  const progress = new ProgressBar({ isTTY, write: (text) => written.push(text) }, () => now);
  const at = (time: number) => {
    now = time;
    progress.update(half);
  };
  return { progress, written, at };
}

test("appears only for loads that take a while, and is redrawn at most ten times a second", () => {
  const { written, at } = bar(true);
  at(499);
  expect(written).toEqual([]);
  for (const time of [500, 550, 599, 600]) at(time);
  expect(written).toHaveLength(2);
  expect(written[0]).toMatch(/█{12}░{12} 50 % of 2\.00 MiB$/);
});

test("is removed once, and only if it was drawn", () => {
  const { progress, written, at } = bar(true);
  progress.clear();
  expect(written).toEqual([]);
  at(1000);
  progress.clear();
  progress.clear();
  expect(written).toHaveLength(2);
});

test("does not appear where standard error is no terminal", () => {
  const { written, at } = bar(false);
  at(1000);
  expect(written).toEqual([]);
});
