import { elementBytes } from "../shared/element-type.ts";
import { ramp } from "../testing/data.ts";
import { expectationType, storeValues } from "../testing/stored-values.ts";
import { defineSuite } from "../testing/suite.ts";
import type { KernelCase } from "../testing/suite.ts";
import { bitwise } from "./bitwise.ts";
import type { BitwiseShape } from "./bitwise.ts";
import { bitwiseReference } from "./bitwise.reference.ts";

function bitwiseCase(
  op: BitwiseShape["op"],
  type: BitwiseShape["type"],
  count: number,
): KernelCase<{ readonly count: number }> {
  const a = storeValues(type, ramp(count, 256, type === "u8" ? 0 : 128, 1));
  const b = storeValues(type, ramp(count, 97, type === "u8" ? 0 : 20, 1));
  const values = storeValues(
    type,
    Array.from({ length: count }, (_, i) =>
      bitwiseReference({ op, type }, a.numbers[i]!, b.numbers[i]!),
    ),
  ).numbers;
  return {
    name: `${op} ${type} ${count}`,
    route: (capabilities) => bitwise({ op, type }, capabilities),
    expectRoute: () => "bitwise",
    live: { count },
    operands: () => ({
      a: a.bytes,
      ...(op === "not" ? {} : { b: b.bytes }),
      out: { bytes: elementBytes(type) * count },
    }),
    expected: () => ({ out: { type: expectationType(type), values } }),
    tolerance: { absolute: 0, relative: 0 },
  };
}

export const bitwiseSuite = defineSuite(
  "bitwise",
  (["and", "or", "not"] as const).flatMap((op) => [
    bitwiseCase(op, "bool", 37 * 41),
    bitwiseCase(op, "bool", 3),
    bitwiseCase(op, "u8", 259),
    bitwiseCase(op, "i8", 259),
    bitwiseCase(op, "i32", 300),
  ]),
);
