import { linearQ4gsw } from "../linear_q4gsw/linear-q4gsw.ts";
import { linearQ4gswReference } from "../linear_q4gsw/linear-q4gsw.reference.ts";
import type { Q4Matrix } from "../linear_q4gsw/linear-q4gsw.reference.ts";
import { randomNumbers, randomValues } from "../testing/data.ts";
import { defineSuite } from "../testing/suite.ts";
import type { KernelCase } from "../testing/suite.ts";
import { linearQcs4w } from "./linear-qcs4w.ts";
import type { LinearQcs4wShape } from "./linear-qcs4w.ts";

function qcs4wCase(M: number, K: number, N: number): KernelCase<{ readonly M: number }> {
  const shape: LinearQcs4wShape = {
    N,
    K,
    scaleType: "f32",
    hasBias: false,
    ...(M === 1 ? { rows: "one" } : { rows: "many", maxM: M }),
  };
  const next = randomNumbers(6);
  const weight = Uint32Array.from({ length: N * Math.ceil(K / 8) }, () => next() * 2 ** 32);
  const scales = Float32Array.from({ length: N }, () => 0.01 + 0.02 * next());
  const matrix: Q4Matrix = { N, K, groupSize: K, weight, scaleAt: (index) => scales[index]! };
  const x = randomValues(M * K, 7);
  const all = (length: number) => Array.from({ length }, (_, i) => i);
  return {
    name: `${M}x${K}x${N}`,
    route: (capabilities) => linearQcs4w(shape, capabilities),
    expectRoute: (capabilities) =>
      `qcs4w_${linearQ4gsw({ ...shape, groupSize: K }, capabilities).name}`,
    live: { M },
    operands: () => ({ x, weight, scales, out: { bytes: 4 * M * N } }),
    expected: () => ({
      out: {
        type: "f32",
        values: linearQ4gswReference(x, matrix, undefined, all(M), all(N)),
      },
    }),
    tolerance: { absolute: 1e-5, relative: 1e-4 },
  };
}

export const linearQcs4wSuite = defineSuite("linear_qcs4w", [
  qcs4wCase(1, 64, 16),
  qcs4wCase(4, 64, 32),
  qcs4wCase(1, 200, 12),
  qcs4wCase(5, 36, 9),
  qcs4wCase(40, 128, 70),
]);
