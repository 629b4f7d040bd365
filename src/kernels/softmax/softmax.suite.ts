import { ramp } from "../testing/data.ts";
import { storeValues } from "../testing/stored-values.ts";
import { defineSuite } from "../testing/suite.ts";
import type { KernelCase } from "../testing/suite.ts";
import { softmax } from "./softmax.ts";
import type { SoftmaxLive, SoftmaxShape } from "./softmax.ts";
import { softmaxReference } from "./softmax.reference.ts";

interface SoftmaxOptions {
  readonly type?: SoftmaxShape["type"];
  readonly values?: Float32Array<ArrayBuffer>;
}

function softmaxCases(
  name: string,
  [outer, width, inner]: readonly [outer: number, width: number, inner: number],
  { type = "f32", values = ramp(outer * width * inner, 17, 8, 2) }: SoftmaxOptions = {},
): KernelCase<SoftmaxLive>[] {
  const live = { outer, width, inner };
  const x = storeValues(type, values);
  return [false, true].map((logarithm) => ({
    name: `${logarithm ? "log " : ""}${type} ${name} ${outer}x${width}x${inner}`,
    route: (capabilities) => softmax({ type, logarithm }, capabilities),
    expectRoute: () => "softmax",
    live,
    operands: () => ({ x: x.bytes, out: { bytes: x.bytes.byteLength } }),
    expected: () => ({ out: { type, values: softmaxReference(x.numbers, live, logarithm) } }),
    // exp and log are good to a few ulps; f16 has 11 bits, and fewer below 6e-5.
    tolerance:
      type === "f16" ? { absolute: 6e-8, relative: 6e-4 } : { absolute: 1e-6, relative: 1e-5 },
  }));
}

const masked = ramp(3 * 70, 17, 8, 2).map((value, i) => (i % 70 > 40 ? -Infinity : value));
const far = ramp(128, 16, 8, 0.01);
const low = ramp(128, 17, 8, 2).map((value) => value - 500);

const F16 = { type: "f16" } as const;

export const softmaxSuite = defineSuite("softmax", [
  ...softmaxCases("last", [5, 16, 1]),
  ...softmaxCases("last", [3, 100, 1]),
  ...softmaxCases("last", [2, 5000, 1]),
  ...softmaxCases("one", [4, 1, 1]),
  ...softmaxCases("first", [1, 33, 7]),
  ...softmaxCases("middle", [3, 65, 5]),
  ...softmaxCases("many rows", [300, 9, 4]),
  ...softmaxCases("masked", [3, 70, 1], { values: masked }),
  ...softmaxCases("far apart", [2, 64, 1], { values: far }),
  ...softmaxCases("far below zero", [2, 64, 1], { values: low }),
  ...softmaxCases("last", [5, 16, 1], F16),
  ...softmaxCases("last", [2, 5000, 1], F16),
  // Two rows share a word.
  ...softmaxCases("odd rows", [3, 101, 1], F16),
  ...softmaxCases("one", [5, 1, 1], F16),
  ...softmaxCases("middle", [3, 65, 5], F16),
  ...softmaxCases("masked", [3, 70, 1], { ...F16, values: masked }),
  ...softmaxCases("far below zero", [2, 64, 1], { ...F16, values: low }),
]);
