import { ramp } from "../testing/data.ts";
import { defineSuite } from "../testing/suite.ts";
import type { KernelCase } from "../testing/suite.ts";
import { softmax } from "./softmax.ts";
import type { SoftmaxLive } from "./softmax.ts";
import { softmaxReference } from "./softmax.reference.ts";

function softmaxCases(
  name: string,
  outer: number,
  width: number,
  inner: number,
  x: Float32Array<ArrayBuffer> = ramp(outer * width * inner, 17, 8, 2),
): KernelCase<SoftmaxLive>[] {
  const live = { outer, width, inner };
  return [false, true].map((logarithm) => ({
    name: `${logarithm ? "log " : ""}${name} ${outer}x${width}x${inner}`,
    route: (capabilities) => softmax({ logarithm }, capabilities),
    expectRoute: () => "softmax",
    live,
    operands: () => ({ x, out: { bytes: x.byteLength } }),
    expected: () => ({
      out: { type: "f32" as const, values: softmaxReference(x, live, logarithm) },
    }),
    // exp and log are good to a few ulps.
    tolerance: { absolute: 1e-6, relative: 1e-5 },
  }));
}

const masked = ramp(3 * 70, 17, 8, 2).map((value, i) => (i % 70 > 40 ? -Infinity : value));
const far = ramp(128, 16, 8, 0.01);
const low = ramp(128, 17, 8, 2).map((value) => value - 500);

export const softmaxSuite = defineSuite("softmax", [
  ...softmaxCases("last", 5, 16, 1),
  ...softmaxCases("last", 3, 100, 1),
  ...softmaxCases("last", 2, 5000, 1),
  ...softmaxCases("one", 4, 1, 1),
  ...softmaxCases("first", 1, 33, 7),
  ...softmaxCases("middle", 3, 65, 5),
  ...softmaxCases("many rows", 300, 9, 4),
  ...softmaxCases("masked", 3, 70, 1, masked),
  ...softmaxCases("far apart", 2, 64, 1, far),
  ...softmaxCases("far below zero", 2, 64, 1, low),
]);
