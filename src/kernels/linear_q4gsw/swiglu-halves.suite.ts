import { packHalves, unpackHalves } from "../testing/halves.ts";
import { ramp } from "../testing/data.ts";
import { areHalves, F32_MAX_ROWS } from "../shared/halves.ts";
import { defineSuite, onMatricesOnly } from "../testing/suite.ts";
import type { KernelCase } from "../testing/suite.ts";
import { MANY_ROWS, randomMatrix } from "./linear-q4gsw.cases.ts";
import { servesSwigluHalves, swigluHalvesQ4gsw } from "./swiglu-halves.ts";
import { swigluHalvesReference } from "./swiglu-halves.reference.ts";

interface Options {
  readonly groupSize?: number;
  readonly scaleType?: "f16" | "f32";
  readonly maxM?: number;
  readonly heavy?: string;
}

const [GATE_SEED, UP_SEED] = [4, 9];

function swigluCase(
  [M, K, N]: readonly [M: number, K: number, N: number],
  { groupSize = 32, scaleType = "f16", maxM = MANY_ROWS, heavy }: Options = {},
): KernelCase<{ readonly M: number }> {
  const shape = { N, K, groupSize, scaleType, maxM };
  const x = () => ramp(M * K, 17, 8, 16);
  const gate = () => randomMatrix(shape, GATE_SEED);
  const up = () => randomMatrix(shape, UP_SEED);
  return {
    name: `${M}x${K}x${N} g${groupSize} ${scaleType} max ${maxM}`,
    route: (capabilities) => swigluHalvesQ4gsw(shape, capabilities),
    expectRoute: () => "swiglu_halves",
    live: { M },
    operands: () => ({
      x: packHalves(x(), K),
      gate: gate().matrix.weight,
      gate_scales: gate().scales,
      up: up().matrix.weight,
      up_scales: up().scales,
      out: { bytes: Math.max(2 * M, 4 * F32_MAX_ROWS) * N },
    }),
    expected: () => ({
      out: {
        type: (bytes) => unpackHalves(bytes, M, N),
        values: swigluHalvesReference(x(), gate().matrix, up().matrix),
      },
    }),
    // Half of what gate and up may be off by: silu(gate) is less than 0.5 of either. Then f16 has 11 bits.
    tolerance: areHalves(M)
      ? { absolute: 2e-4, relative: 1e-3 }
      : { absolute: 1e-4, relative: 1e-3 },
    ...onMatricesOnly((capabilities) => servesSwigluHalves(shape, capabilities)),
    ...(heavy === undefined ? {} : { heavy }),
  };
}

const MANY_PRODUCTS = "hundreds of millions of multiplications";

export const swigluHalvesSuite = defineSuite("swiglu_halves_q4gsw", [
  swigluCase([1, 64, 256], { maxM: 64 }),
  swigluCase([32, 96, 272]),
  swigluCase([33, 64, 256]),
  swigluCase([70, 1024, 272]),
  swigluCase([130, 96, 304], { groupSize: 16 }),
  swigluCase([64, 128, 256], { groupSize: 128, scaleType: "f32" }),
  // enough for large tiles
  swigluCase([130, 256, 4112], { heavy: MANY_PRODUCTS }),
  swigluCase([256, 128, 8448], { heavy: MANY_PRODUCTS }),
]);
