import type { ElementType } from "../shared/element-type.ts";
import { ramp } from "../testing/data.ts";
import { storeValues } from "../testing/stored-values.ts";
import { defineSuite } from "../testing/suite.ts";
import type { KernelCase } from "../testing/suite.ts";
import { compare } from "./compare.ts";
import type { CompareOp } from "./compare.ts";
import { compareReference } from "./compare.reference.ts";

function compareCase(
  op: CompareOp,
  type: ElementType,
  count: number,
  scalar?: number,
): KernelCase<{ readonly count: number }> {
  const factor = type === "f32" || type === "f16" ? 0.5 : 1;
  const a = storeValues(
    type,
    ramp(count, 7, 2, 1).map((value) => value * factor),
  );
  const b = storeValues(
    type,
    ramp(count, 5, 1, 1).map((value) => value * factor),
  );
  const values = Array.from({ length: count }, (_, i) =>
    compareReference(op, a.numbers[i]!, scalar ?? b.numbers[i]!),
  );
  return {
    name: `${op} ${type} ${count}${scalar === undefined ? "" : ` with ${scalar}`}`,
    route: (capabilities) =>
      compare({ op, type, ...(scalar === undefined ? {} : { scalar }) }, capabilities),
    expectRoute: () => "compare",
    live: { count },
    operands: () => ({
      a: a.bytes,
      ...(scalar === undefined ? { b: b.bytes } : {}),
      out: { bytes: count },
    }),
    expected: () => ({ out: { type: "u8", values } }),
    tolerance: { absolute: 0, relative: 0 },
  };
}

/** Every pair of NaN, infinities, both zeros and numbers. */
function oddFloats(op: CompareOp): KernelCase<{ readonly count: number }> {
  const values = [Number.NaN, Infinity, -Infinity, 0, -0, 1, -1];
  const a = Float32Array.from(values.flatMap((value) => values.map(() => value)));
  const b = Float32Array.from(values.flatMap(() => values));
  return {
    ...compareCase(op, "f32", a.length),
    name: `${op} f32 odd values`,
    operands: () => ({ a, b, out: { bytes: a.length } }),
    expected: () => ({
      out: { type: "u8", values: Array.from(a, (value, i) => compareReference(op, value, b[i]!)) },
    }),
  };
}

/** Integers that f32 would round to one number. */
function largeIntegers(op: CompareOp): KernelCase<{ readonly count: number }> {
  const a = Int32Array.of(2 ** 24, 2 ** 24 + 1, -(2 ** 31), 5);
  const b = Int32Array.of(2 ** 24 + 1, 2 ** 24, 2 ** 31 - 1, 5);
  return {
    ...compareCase(op, "i32", 4),
    name: `${op} i32 beyond 2^24`,
    operands: () => ({ a, b, out: { bytes: 4 } }),
    expected: () => ({
      out: { type: "u8", values: Array.from(a, (value, i) => compareReference(op, value, b[i]!)) },
    }),
  };
}

const OPS = ["eq", "ne", "lt", "le", "gt", "ge"] as const;

export const compareSuite = defineSuite("compare", [
  ...OPS.flatMap((op) => [
    compareCase(op, "f32", 37 * 41),
    compareCase(op, "f32", 130, 0.5),
    compareCase(op, "i32", 101),
    largeIntegers(op),
    oddFloats(op),
  ]),
  compareCase("lt", "f16", 99),
  compareCase("ge", "i8", 99),
  compareCase("eq", "u8", 98),
  compareCase("eq", "bool", 97),
  compareCase("gt", "i32", 97, 1),
  compareCase("gt", "i32", 97, 1.5),
  compareCase("eq", "f32", 1),
]);
