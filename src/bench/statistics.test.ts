import { expect, test } from "vitest";
import { convertMeasurement, measurementOf, relativeSpread } from "./statistics.ts";

test("median, extremes and quartiles, whatever the order", () => {
  expect(measurementOf([5, 1, 3, 2, 4])).toEqual({
    median: 3,
    min: 1,
    max: 5,
    quartiles: [2, 4],
    runs: [5, 1, 3, 2, 4],
  });
  expect(measurementOf([4, 1])).toMatchObject({ median: 2.5, quartiles: [1.75, 3.25] });
  expect(measurementOf([7])).toMatchObject({ median: 7, min: 7, max: 7, quartiles: [7, 7] });
  expect(() => measurementOf([])).toThrow("nothing was measured");
});

test("one outlier moves the spread, not the median", () => {
  const measured = measurementOf([10, 10, 10, 10, 100]);
  expect(measured.median).toBe(10);
  expect(relativeSpread(measured)).toBe(9);
});

test("a rate's least is of the longest time", () => {
  const rates = convertMeasurement(measurementOf([1, 2, 4]), (ms) => 100 / ms);
  expect(rates).toMatchObject({ median: 50, min: 25, max: 100, runs: [100, 50, 25] });
});
