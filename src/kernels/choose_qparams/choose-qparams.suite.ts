import { randomValues } from "../testing/data.ts";
import { defineSuite } from "../testing/suite.ts";
import type { KernelCase } from "../testing/suite.ts";
import { chooseQparams } from "./choose-qparams.ts";
import { chooseQparamsReference } from "./choose-qparams.reference.ts";

function chooseCase(
  name: string,
  width: number,
  x: Float32Array<ArrayBuffer>,
  range: { readonly quantMin?: number; readonly quantMax?: number } = {},
): KernelCase<{ readonly rows: number }> {
  const rows = x.length / width;
  const chosen = Array.from({ length: rows }, (_, row) =>
    chooseQparamsReference(
      x.subarray(row * width, (row + 1) * width),
      range.quantMin,
      range.quantMax,
    ),
  );
  return {
    name: `${name} ${rows}x${width}`,
    route: (capabilities) => chooseQparams({ width, ...range }, capabilities),
    expectRoute: () => "choose_qparams",
    live: { rows },
    operands: () => ({ x, scale: { bytes: 4 * rows }, zero_point: { bytes: rows } }),
    expected: () => ({
      scale: { type: "f32", values: chosen.map(({ scale }) => scale) },
      zero_point: {
        type: "i8",
        values: chosen.map(({ zeroPoint }) => zeroPoint),
        tolerance: { absolute: 0, relative: 0 },
      },
    }),
    tolerance: { absolute: 0, relative: 1e-6 },
  };
}

/** Rows of one sign, of zeros, of tiny numbers, and of one spike. */
const odd = new Float32Array(9 * 40);
for (let i = 0; i < 40; i++) {
  odd[i] = 0.3 + i / 50;
  odd[40 + i] = -0.7 - i / 50;
  odd[120 + i] = 1e-4 * (i - 11);
  odd[160 + i] = 1e-4 * i;
  odd[200 + i] = -1e-4 * i;
}
odd[255] = 1e6;
odd[290] = -3.5;

export const chooseQparamsSuite = defineSuite("choose_qparams", [
  chooseCase("random", 64, randomValues(64, 1)),
  chooseCase("random", 128, randomValues(7 * 128, 2)),
  chooseCase("random", 100, randomValues(4 * 100, 3)),
  chooseCase("random", 33, randomValues(130 * 33, 4)),
  chooseCase("odd rows", 40, odd),
  chooseCase("unsigned range", 40, randomValues(5 * 40, 5), { quantMin: 0, quantMax: 100 }),
]);
