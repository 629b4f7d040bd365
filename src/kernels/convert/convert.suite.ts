import { elementBytes, isFloat } from "../shared/element-type.ts";
import type { ElementType } from "../shared/element-type.ts";
import { ramp } from "../testing/data.ts";
import { expectationType, storeValues } from "../testing/stored-values.ts";
import { defineSuite } from "../testing/suite.ts";
import type { KernelCase } from "../testing/suite.ts";
import { convert } from "./convert.ts";
import { convertReference } from "./convert.reference.ts";

function convertCase(
  from: ElementType,
  to: ElementType,
  values: ArrayLike<number>,
  name = "ramp",
): KernelCase<{ readonly count: number }> {
  const count = values.length;
  const x = storeValues(from, values);
  return {
    name: `${from} to ${to} ${name} ${count}`,
    route: (capabilities) => convert({ from, to }, capabilities),
    expectRoute: () => "convert",
    live: { count },
    operands: () => ({ x: x.bytes, out: { bytes: elementBytes(to) * count } }),
    expected: () => ({
      out: { type: expectationType(to), values: convertReference(to, x.numbers) },
    }),
    // Everything here is exact in f16.
    tolerance: { absolute: 0, relative: 0 },
  };
}

const TYPES: readonly ElementType[] = ["f32", "f16", "i32", "i8", "u8", "bool"];

// Fractions, zeros and both signs where the types have them.
function valuesFor(from: ElementType, to: ElementType): Float32Array<ArrayBuffer> {
  const unsigned = from === "u8" || to === "u8";
  return ramp(131, 97, unsigned ? 0 : 48, isFloat(from) ? 4 : 1);
}

export const convertSuite = defineSuite("convert", [
  ...TYPES.flatMap((from) => TYPES.map((to) => convertCase(from, to, valuesFor(from, to)))),
  convertCase("f32", "bool", [0, -0, 1e-30, -0.5, NaN, Infinity], "odd values"),
  convertCase("i32", "i8", [127, 128, 255, 256, -129, 1000], "wraps"),
  convertCase("f32", "f16", [65504, 65520, -1e6, Infinity, 1 / 1024, 2 ** -14], "range"),
]);
