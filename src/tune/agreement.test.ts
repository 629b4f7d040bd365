import { expect, test } from "vitest";
import { judge } from "./agreement.ts";

const TOLERANCE = { absolute: 1e-3, relative: 1e-3 };
const RIGHT = [1, 2, 3];
const WRONG = [1, 2, 4];

const output = (name: string, values: readonly number[]) => ({
  name,
  values: Float32Array.from(values),
});

const namesOf = (rejections: readonly { readonly name: string }[]) =>
  rejections.map(({ name }) => name);

test("candidates within twice the tolerance are sound", () => {
  const { sound, rejections } = judge(
    [output("default", RIGHT), output("a", [1, 2, 3.005]), output("b", [1, 2, 3.007])],
    TOLERANCE,
  );
  expect(sound).toEqual(["default", "a"]);
  expect(rejections[0]?.why).toMatch(/1 of 3 results off, by up to 0\.0070/);
});

test("a candidate that is wrong, or leaves results unwritten, is rejected", () => {
  const outputs = [
    output("default", RIGHT),
    output("good", RIGHT),
    output("bad", WRONG),
    output("unwritten", [1, 2, Number.NaN]),
  ];
  const { sound, rejections } = judge(outputs, TOLERANCE);
  expect(sound).toEqual(["default", "good"]);
  expect(namesOf(rejections)).toEqual(["bad", "unwritten"]);
});

test("a single other candidate is no proof against the default", () => {
  const { sound, rejections } = judge([output("default", RIGHT), output("a", WRONG)], TOLERANCE);
  expect(sound).toEqual(["default"]);
  expect(namesOf(rejections)).toEqual(["a"]);
});

test("a default that nobody agrees with is rejected where others agree", () => {
  const outputs = [
    output("default", WRONG),
    output("broken", [0, 0, 0]),
    output("a", RIGHT),
    output("b", RIGHT),
  ];
  const { sound, rejections } = judge(outputs, TOLERANCE);
  expect(sound).toEqual(["a", "b"]);
  expect(namesOf(rejections)).toEqual(["default", "broken"]);
  expect(rejections[0]?.reference).toBe("a");
});

test("what no candidate writes is no part of the results", () => {
  const unwritten = Number.NaN;
  const outputs = [
    output("default", [...RIGHT, unwritten]),
    output("a", [...RIGHT, unwritten]),
    output("wrong", [...WRONG, unwritten]),
    output("more than the others", [...RIGHT, 4]),
    output("less than the others", [1, 2, unwritten, unwritten]),
  ];
  expect(judge(outputs, TOLERANCE).sound).toEqual(["default", "a"]);
});

test("a default without numbers is rejected for anything that has some", () => {
  const unwritten = output("default", [Number.NaN, Number.NaN, Number.NaN]);
  expect(judge([unwritten, output("a", RIGHT)], TOLERANCE).sound).toEqual(["a"]);
  expect(judge([unwritten], TOLERANCE).sound).toEqual([]);
});

test("a candidate's own tolerance counts for it", () => {
  const rounding = {
    ...output("rounding", [1, 2, 3.01]),
    tolerance: { absolute: 0.02, relative: 0 },
  };
  const { sound } = judge([output("default", RIGHT), rounding], TOLERANCE);
  expect(sound).toEqual(["default", "rounding"]);
});
