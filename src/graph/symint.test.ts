import { describe, expect, test } from "vitest";
import { RequestError } from "../errors.ts";
import {
  maxOf,
  rootsOf,
  substituteInt,
  symIntExpression,
  symIntRoot,
  SymIntValues,
} from "./symint.ts";

const any = (name: string) => symIntRoot(name, -(2 ** 31), 2 ** 31 - 1);

describe("SymIntValues", () => {
  test("keeps every int32 and refuses everything else, keeping the old value", () => {
    const root = any("n");
    const values = new SymIntValues();
    for (const value of [5, -(2 ** 31), 2 ** 31 - 1]) {
      values.set(root, value);
      expect(values.get(root)).toBe(value);
    }
    values.set(root, 7);
    for (const bad of [2 ** 31, -(2 ** 31) - 1, 2 ** 32, 0.5, Number.NaN, Infinity]) {
      expect(() => values.set(root, bad)).toThrow(RequestError);
      expect(values.get(root)).toBe(7);
    }
  });

  test("refuses values out of the root's bounds", () => {
    const root = symIntRoot("S", 1, 8);
    const values = new SymIntValues();
    values.set(root, 8);
    expect(() => values.set(root, 9)).toThrow(/1 to 8/);
    expect(() => values.set(root, 0)).toThrow(RequestError);
    expect(values.get(root)).toBe(8);
  });

  test("says whether a value changed", () => {
    const root = any("n");
    const values = new SymIntValues();
    expect([values.set(root, 3), values.set(root, 3), values.set(root, 8)]).toEqual([
      true,
      false,
      true,
    ]);
  });

  test("evaluates chains; floordiv rounds down; division by zero and overflow throw", () => {
    const [a, b] = [any("a"), any("b")];
    const values = new SymIntValues();
    values.set(a, -7);
    values.set(b, 2);
    const quotient = symIntExpression("floordiv", a, b);
    expect(values.get(quotient)).toBe(-4);
    expect(values.get(symIntExpression("mul", symIntExpression("add", quotient, 10), b))).toBe(12);
    values.set(b, 0);
    expect(() => values.get(quotient)).toThrow(/zero/);
    values.set(a, -(2 ** 31));
    values.set(b, -1);
    expect(() => values.get(quotient)).toThrow(/32-bit/);
  });

  test("tracks which roots were read", () => {
    const [a, b] = [any("a"), any("b")];
    const values = new SymIntValues();
    values.set(a, 1);
    values.set(b, 2);
    const { reads } = values.trackReads(() => values.get(symIntExpression("add", a, 1)));
    expect([...reads]).toEqual([a]);
  });
});

describe("expressions", () => {
  test("fold constants and identities", () => {
    const a = symIntRoot("a", 0, 10);
    expect(symIntExpression("add", 2, 3)).toBe(5);
    expect(symIntExpression("mul", a, 1)).toBe(a);
    expect(symIntExpression("sub", a, 0)).toBe(a);
  });

  test("know their largest value and their roots, and can be specialised", () => {
    const a = symIntRoot("a", 0, 10);
    const expression = symIntExpression("add", symIntExpression("mul", a, 3), 1);
    expect(maxOf(expression)).toBe(31);
    expect([...rootsOf(expression)]).toEqual([a]);
    expect(substituteInt(expression, new Map([[a, 2]]))).toBe(7);
  });
});
