import { chooseQparamsReference } from "../choose_qparams/choose-qparams.reference.ts";
import { linearQ4gsw } from "../linear_q4gsw/linear-q4gsw.ts";
import type { Q4Matrix } from "../linear_q4gsw/linear-q4gsw.reference.ts";
import { ramp, randomNumbers, randomValues } from "../testing/data.ts";
import { defineSuite } from "../testing/suite.ts";
import type { KernelCase } from "../testing/suite.ts";
import { linearDq8caQ4gsw } from "./linear-dq8ca-q4gsw.ts";
import type { LinearDq8caQ4gswShape } from "./linear-dq8ca-q4gsw.ts";
import { linearDq8caQ4gswReference, quantizedSteps } from "./linear-dq8ca-q4gsw.reference.ts";

interface Dq8caTest {
  readonly M: number;
  readonly K: number;
  readonly N: number;
  readonly groupSize?: number;
  readonly bias?: boolean;
  /** Factor of the scale that suits x: below 1 quantised values are clamped. */
  readonly scaleFactor?: number;
}

function randomMatrix(N: number, K: number, groupSize: number) {
  const next = randomNumbers(5);
  const weight = Uint32Array.from({ length: N * Math.ceil(K / 8) }, () => next() * 2 ** 32);
  const scales = Float32Array.from({ length: (N * K) / groupSize }, () => 0.01 + 0.02 * next());
  const matrix: Q4Matrix = { N, K, groupSize, weight, scaleAt: (index) => scales[index]! };
  return { matrix, scales };
}

function dq8caCase(test: Dq8caTest): KernelCase<{ readonly M: number }> {
  const { M, K, N, groupSize = 32, bias = false, scaleFactor = 1 } = test;
  const shape: LinearDq8caQ4gswShape = {
    N,
    K,
    groupSize,
    scaleType: "f32",
    hasBias: bias,
    maxM: M,
  };
  const x = randomValues(M * K, 3);
  const rows = Array.from({ length: M }, (_, m) =>
    chooseQparamsReference(x.subarray(m * K, (m + 1) * K)),
  );
  const scale = Float32Array.from(rows, (row) => row.scale * scaleFactor);
  const zeroPoint = Int8Array.from(rows, (row) => row.zeroPoint);
  const { matrix, scales } = randomMatrix(N, K, groupSize);
  const added = bias ? ramp(N, 13, 6, 4) : undefined;
  return {
    name: `${M}x${K}x${N} group ${groupSize}${bias ? " bias" : ""} scale x ${scaleFactor}`,
    route: (capabilities) => linearDq8caQ4gsw(shape, capabilities),
    expectRoute: (capabilities) => {
      const inner = M === 1 ? { rows: "one" as const } : { rows: "many" as const, maxM: M };
      return `dq8ca_${linearQ4gsw({ ...shape, ...inner }, capabilities).name}`;
    },
    live: { M },
    operands: () => ({
      x,
      x_scale: scale,
      x_zero_point: zeroPoint,
      weight: matrix.weight,
      scales,
      ...(added === undefined ? {} : { bias: added }),
      out: { bytes: 4 * M * N },
    }),
    expected: () => ({
      out: {
        type: "f32",
        values: linearDq8caQ4gswReference(
          quantizedSteps(x, K, scale, zeroPoint),
          scale,
          matrix,
          added,
        ),
      },
    }),
    // One quantised value that rounds the other way would be off by s · w · 8, about 1e-3.
    tolerance: { absolute: 2e-5, relative: 1e-4 },
  };
}

/** Shapes of ExecuTorch's own suite (m, k, n), then any number of rows. */
export const linearDq8caQ4gswSuite = defineSuite("linear_dq8ca_q4gsw", [
  dq8caCase({ M: 4, K: 64, N: 16 }),
  dq8caCase({ M: 1, K: 64, N: 16 }),
  dq8caCase({ M: 2, K: 128, N: 8 }),
  dq8caCase({ M: 3, K: 64, N: 32 }),
  dq8caCase({ M: 7, K: 96, N: 40, bias: true }),
  dq8caCase({ M: 1, K: 256, N: 33, bias: true }),
  dq8caCase({ M: 33, K: 64, N: 24, groupSize: 16 }),
  dq8caCase({ M: 5, K: 36, N: 9, groupSize: 12 }),
  dq8caCase({ M: 6, K: 64, N: 16, scaleFactor: 0.6 }),
]);
