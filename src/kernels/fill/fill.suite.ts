import { elementBytes } from "../shared/element-type.ts";
import type { ElementType } from "../shared/element-type.ts";
import { expectationType } from "../testing/stored-values.ts";
import { defineSuite } from "../testing/suite.ts";
import type { KernelCase } from "../testing/suite.ts";
import { fill } from "./fill.ts";

function fillCase(
  type: ElementType,
  value: number,
  count: number,
): KernelCase<{ readonly count: number }> {
  return {
    name: `${type} ${value} ${count}`,
    route: (capabilities) => fill({ type, value }, capabilities),
    expectRoute: () => "fill",
    live: { count },
    operands: () => ({ out: { bytes: elementBytes(type) * count } }),
    expected: () => ({
      out: { type: expectationType(type), values: new Float64Array(count).fill(value) },
    }),
    tolerance: { absolute: 0, relative: 0 },
  };
}

export const fillSuite = defineSuite("fill", [
  fillCase("f32", -1.5, 1000),
  fillCase("f32", 0, 1),
  fillCase("f16", 2.5, 101),
  fillCase("f16", -Infinity, 64),
  fillCase("i32", -7, 130),
  fillCase("i8", -3, 33),
  fillCase("u8", 200, 35),
  fillCase("bool", 1, 5),
]);
