import { isFloat } from "../shared/element-type.ts";
import { randomValues } from "../testing/data.ts";
import { storeValues } from "../testing/stored-values.ts";
import { defineSuite } from "../testing/suite.ts";
import type { KernelCase } from "../testing/suite.ts";
import { reduce } from "./reduce.ts";
import type { ReduceLive, ReduceShape } from "./reduce.ts";
import { reduceReference } from "./reduce.reference.ts";

type Type = ReduceShape["type"];

const EXACT = { absolute: 0, relative: 0 };

function toleranceOf(op: ReduceShape["op"], type: Type, width: number) {
  if (op === "amax" || op === "amin" || type === "i32") return EXACT;
  // Sums of numbers of either sign are off by their largest partial sum's rounding; f16 has 11 bits.
  return { absolute: 1e-6 * Math.sqrt(width), relative: type === "f16" ? 6e-4 : 1e-5 };
}

function reduceCase(
  op: ReduceShape["op"],
  type: Type,
  [outer, width, inner]: readonly [outer: number, width: number, inner: number],
  values: ArrayLike<number>,
  name = "",
): KernelCase<ReduceLive> {
  const live = { outer, width, inner };
  const x = storeValues(type, values);
  const out = storeValues(type, new Float32Array(outer * inner));
  return {
    name: `${op} ${type} ${name}${outer}x${width}x${inner}`,
    route: (capabilities) => reduce({ op, type }, capabilities),
    expectRoute: () => "reduce",
    live,
    operands: () => ({ x: x.bytes, out: { bytes: out.bytes.byteLength } }),
    expected: () => ({ out: { type, values: reduceReference({ op, type }, x.numbers, live) } }),
    tolerance: toleranceOf(op, type, width),
  };
}

function reduceCases(
  type: Type,
  outer: number,
  width: number,
  inner: number,
): KernelCase<ReduceLive>[] {
  // All of one sign at the ends, so that a stray zero would win.
  const values = randomValues(outer * width * inner, 7).map((value, i) => {
    const row = Math.floor(i / (width * inner));
    const shifted = row % 3 === 0 ? value - 2 : row % 3 === 1 ? value + 2 : value;
    return isFloat(type) ? shifted : Math.round(10_000 * shifted);
  });
  const ops: ReduceShape["op"][] = ["sum", "amax", "amin"];
  if (isFloat(type)) ops.push("mean");
  return ops.map((op) => reduceCase(op, type, [outer, width, inner], values));
}

const [LEAST, GREATEST] = [-(2 ** 31), 2 ** 31 - 1];

export const reduceSuite = defineSuite("reduce", [
  ...reduceCases("f32", 5, 16, 1),
  ...reduceCases("f32", 3, 100, 1),
  ...reduceCases("f32", 4, 1, 3),
  ...reduceCases("f32", 2, 65, 7),
  ...reduceCases("f32", 1, 9, 50),
  ...reduceCases("f32", 3, 5000, 1),
  ...reduceCases("f32", 1, 40_000, 1),
  // Two outputs share a word, the last has one of its own.
  ...reduceCases("f16", 5, 16, 1),
  ...reduceCases("f16", 4, 1, 3),
  ...reduceCases("f16", 3, 65, 7),
  ...reduceCases("f16", 300, 9, 1),
  ...reduceCases("f16", 1, 5000, 1),
  reduceCase(
    "sum",
    "f16",
    [2, 3, 1],
    [60_000, 60_000, -60_000, 60_000, 60_000, 0],
    "past the range ",
  ),
  ...reduceCases("i32", 5, 16, 1),
  ...reduceCases("i32", 2, 65, 7),
  ...reduceCases("i32", 3, 5000, 1),
  ...(["amax", "amin"] as const).map((op) =>
    reduceCase(op, "i32", [2, 3, 1], [LEAST, 5, 2 ** 24 + 1, GREATEST, LEAST, -1], "ends "),
  ),
  reduceCase("sum", "i32", [2, 3, 1], [GREATEST, 1, 5, LEAST, -1, 2 ** 24 + 1], "wraps "),
]);
