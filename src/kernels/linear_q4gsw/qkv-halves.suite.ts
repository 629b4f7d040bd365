import { ramp } from "../testing/data.ts";
import { packHalves } from "../testing/halves.ts";
import { defineSuite, onMatricesOnly } from "../testing/suite.ts";
import type { KernelCase } from "../testing/suite.ts";
import { areHalves } from "../shared/halves.ts";
import { MANY_ROWS, randomMatrix } from "./linear-q4gsw.cases.ts";
import { linearQ4gswReference } from "./linear-q4gsw.reference.ts";
import { qkvHalvesQ4gsw, servesQkvHalves } from "./qkv-halves.ts";

interface Options {
  readonly groupSize?: number;
  readonly scaleType?: "f16" | "f32";
  readonly maxM?: number;
  readonly heavy?: string;
}

const SEED = 4;

const all = (length: number): number[] => Array.from({ length }, (_, i) => i);

function qkvCase(
  M: number,
  K: number,
  rows: readonly [q: number, k: number, v: number],
  { groupSize = 32, scaleType = "f16", maxM = MANY_ROWS, heavy }: Options = {},
): KernelCase<{ readonly M: number }> {
  const shape = { rows, K, groupSize, scaleType, maxM };
  const [q, k, v] = rows;
  const x = () => ramp(M * K, 17, 8, 16);
  const joined = () => randomMatrix({ N: q + k + v, K, groupSize, scaleType }, SEED);
  return {
    name: `${M}x${K}x${rows.join("+")} g${groupSize} ${scaleType} max ${maxM}`,
    route: (capabilities) => qkvHalvesQ4gsw(shape, capabilities),
    expectRoute: () => "qkv_halves",
    live: { M },
    operands: () => {
      const { matrix, scales } = joined();
      const part = (first: number, count: number) => ({
        weight: matrix.weight.slice((first * K) / 8, ((first + count) * K) / 8),
        scales: scales.slice((first * K) / groupSize, ((first + count) * K) / groupSize),
      });
      const [ofQ, ofK, ofV] = [part(0, q), part(q, k), part(q + k, v)];
      return {
        x: packHalves(x(), K),
        weight: matrix.weight,
        scales,
        q: ofQ.weight,
        q_scales: ofQ.scales,
        k: ofK.weight,
        k_scales: ofK.scales,
        v: ofV.weight,
        v_scales: ofV.scales,
        q_out: { bytes: 4 * M * q },
        k_out: { bytes: 4 * M * k },
        v_out: { bytes: 4 * M * v },
      };
    },
    expected: () => {
      const { matrix } = joined();
      const of = (first: number, count: number) => ({
        type: "f32" as const,
        values: linearQ4gswReference(
          x(),
          matrix,
          undefined,
          all(M),
          all(count).map((n) => first + n),
        ),
      });
      return { q_out: of(0, q), k_out: of(q, k), v_out: of(q + k, v) };
    },
    tolerance: { absolute: areHalves(M) ? 4e-4 : 1e-4, relative: 1e-3 },
    ...onMatricesOnly((capabilities) => servesQkvHalves(shape, capabilities)),
    ...(heavy === undefined ? {} : { heavy }),
  };
}

const MANY_PRODUCTS = "hundreds of millions of multiplications";

export const qkvHalvesSuite = defineSuite("qkv_halves_q4gsw", [
  qkvCase(1, 64, [128, 128, 128], { maxM: 64 }),
  qkvCase(32, 96, [256, 128, 132]),
  qkvCase(33, 64, [128, 128, 64]),
  qkvCase(64, 128, [256, 128, 128], { groupSize: 128, scaleType: "f32" }),
  qkvCase(130, 96, [128, 256, 68], { groupSize: 16 }),
  // sums that workgroups share
  qkvCase(70, 1024, [128, 128, 68]),
  // enough for large tiles
  qkvCase(130, 128, [4096, 1024, 1028], { heavy: MANY_PRODUCTS }),
  qkvCase(256, 128, [8192, 4096, 4096], { heavy: MANY_PRODUCTS }),
]);
