import { randomValues } from "../testing/data.ts";
import { defineSuite } from "../testing/suite.ts";
import type { KernelCase } from "../testing/suite.ts";
import { reduce } from "./reduce.ts";
import type { ReduceLive, ReduceShape } from "./reduce.ts";
import { reduceReference } from "./reduce.reference.ts";

function reduceCases(outer: number, width: number, inner: number): KernelCase<ReduceLive>[] {
  const live = { outer, width, inner };
  // All of one sign at the ends, so that a stray zero would win.
  const x = randomValues(outer * width * inner, 7).map((value, i) => {
    const row = Math.floor(i / (width * inner));
    return row % 3 === 0 ? value - 2 : row % 3 === 1 ? value + 2 : value;
  });
  const ops: ReduceShape["op"][] = ["sum", "mean", "amax", "amin"];
  return ops.map((op) => ({
    name: `${op} ${outer}x${width}x${inner}`,
    route: (capabilities) => reduce({ op }, capabilities),
    expectRoute: () => "reduce",
    live,
    operands: () => ({ x, out: { bytes: 4 * outer * inner } }),
    expected: () => ({ out: { type: "f32" as const, values: reduceReference(op, x, live) } }),
    // Sums of numbers of either sign are off by their largest partial sum's rounding.
    tolerance: op.startsWith("am")
      ? { absolute: 0, relative: 0 }
      : { absolute: 1e-6 * Math.sqrt(width), relative: 1e-5 },
  }));
}

export const reduceSuite = defineSuite("reduce", [
  ...reduceCases(5, 16, 1),
  ...reduceCases(3, 100, 1),
  ...reduceCases(4, 1, 3),
  ...reduceCases(2, 65, 7),
  ...reduceCases(1, 9, 50),
  ...reduceCases(3, 5000, 1),
  ...reduceCases(1, 40_000, 1),
]);
