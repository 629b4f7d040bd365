import { describe, expect, test } from "vitest";
import { unroll } from "./unroll.ts";

const lines = (source: string): string[] =>
  source
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => !["", "{", "}", "}{"].includes(line));

describe("unroll", () => {
  test("writes out the body for every value, inner loops too", () => {
    const source = `const DEPTH: u32 = 2u; // @param
const QUADS: u32 = 2u;
for (var n = 0u; n < DEPTH; n++) { // @unroll
  for (var j = 0u; j < QUADS; j++) { // @unroll
    keys[n * QUADS + j] = params.n;
  }
}
done();`;
    expect(lines(unroll(source)).slice(2)).toEqual([
      "keys[0u * QUADS + 0u] = params.n;",
      "keys[0u * QUADS + 1u] = params.n;",
      "keys[1u * QUADS + 0u] = params.n;",
      "keys[1u * QUADS + 1u] = params.n;",
      "done();",
    ]);
  });

  test("knows steps, doublings and loops that do nothing", () => {
    const loop = (head: string) =>
      lines(unroll(`const N: u32 = 8u;\nfor (${head}) { // @unroll\n x(i);\n}`));
    expect(loop("var i = 0u; i < N; i += 4u").slice(1)).toEqual(["x(0u);", "x(4u);"]);
    expect(loop("var i = 2u; i < N; i *= 2u").slice(1)).toEqual(["x(2u);", "x(4u);"]);
    expect(loop("var i = N; i < N; i++").slice(1)).toEqual([]);
  });

  test("a bound may be any expression of constants, wherever they are declared", () => {
    const source = `fn f() {
  for (var i = 0u; i < ALL; i++) { // @unroll
    x(i);
  }
}
const ALL: u32 = SUMS + select(0u, 1u, NORM && SUMS >= 2u);
const SUMS = (2u * ROWS - 1u) / 3u % 4u;
const ROWS: u32 = 4u;
const NORM: bool = !(ROWS == 3u);`;
    expect(lines(unroll(source)).filter((line) => line.startsWith("x("))).toEqual([
      "x(0u);",
      "x(1u);",
      "x(2u);",
    ]);
  });

  test("leaves everything else alone", () => {
    const source = "for (var i = 0u; i < count; i++) {\n  x(i);\n}";
    expect(unroll(source)).toBe(source);
  });

  test.each([
    ["i < COUNT", "", /COUNT is no constant/],
    ["i < 100u", "", /more than 64 rounds/],
    ["i < 4u", "if (i == 2u) { break; }", /left early/],
    ["i < 1.5", "", /no constant of whole numbers/],
    ["i < f(2u)", "", /f\(\) is no constant/],
    ["i < (2u", "", /unexpected/],
    ["i <= 4u", "", /not a loop that can be written out/],
  ])("refuses %s %s", (condition, body, message) => {
    const source = `for (var i = 0u; ${condition}; i++) { // @unroll\n${body}\n}`;
    expect(() => unroll(source)).toThrow(message);
  });
});
