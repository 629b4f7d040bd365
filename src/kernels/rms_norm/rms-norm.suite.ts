import { areHalves, F32_MAX_ROWS } from "../shared/halves.ts";
import { ramp } from "../testing/data.ts";
import { unpackHalves } from "../testing/halves.ts";
import { defineSuite } from "../testing/suite.ts";
import type { Expectation, KernelCase } from "../testing/suite.ts";
import { rmsNormReference } from "./rms-norm.reference.ts";
import { rmsNorm, rmsNormHalves } from "./rms-norm.ts";

type Live = { readonly rows: number };

function rmsNormCase(rows: number, width: number, epsilon = 1e-6): KernelCase<Live> {
  const x = ramp(rows * width, 17, 8, 16);
  // Zeros and negative weights included.
  const weight = ramp(width, 13, 6, 8);
  return {
    name: `${rows}x${width} eps ${epsilon}`,
    route: (capabilities) => rmsNorm({ width, epsilon }, capabilities),
    expectRoute: () => "rms_norm",
    live: { rows },
    operands: () => ({ x, weight, out: { bytes: 4 * rows * width } }),
    expected: () => ({ out: { type: "f32", values: rmsNormReference(x, weight, epsilon) } }),
    tolerance: { absolute: 1e-5, relative: 1e-5 },
  };
}

/** As {@link rmsNormCase}, but out is halves: f32 of up to 32 rows, rounded to 11 bits of more. */
function rmsNormHalvesCase(rows: number, width: number, epsilon = 1e-6): KernelCase<Live> {
  const { operands, expected, ...plain } = rmsNormCase(rows, width, epsilon);
  return {
    ...plain,
    name: `halves ${plain.name}`,
    route: (capabilities) => rmsNormHalves({ width, epsilon }, capabilities),
    expectRoute: () => "rms_norm_halves",
    operands: (capabilities) => ({
      ...operands(capabilities),
      out: { bytes: Math.max(2 * rows, 4 * F32_MAX_ROWS) * width },
    }),
    expected: (capabilities) => ({
      out: {
        ...expected(capabilities)["out"],
        type: (bytes: ArrayBuffer) => unpackHalves(bytes, rows, width),
      } as Expectation,
    }),
    tolerance: areHalves(rows)
      ? { absolute: 1e-6, relative: 6e-4 }
      : { absolute: 1e-5, relative: 1e-5 },
  };
}

/** As {@link rmsNormHalvesCase}, of rows and weights whose results half precision cannot hold. */
function saturatingCase(rows: number, width: number): KernelCase<Live> {
  const x = ramp(rows * width, 17, 8, 16);
  const weight = ramp(width, 13, 6, 8).map((value) => 1e6 * value);
  const most = 65504;
  const values = rmsNormReference(x, weight, 1e-6).map((value) =>
    Math.max(-most, Math.min(most, value)),
  );
  return {
    ...rmsNormHalvesCase(rows, width),
    name: `halves ${rows}x${width} that saturate`,
    operands: () => ({ x, weight, out: { bytes: Math.max(2 * rows, 4 * F32_MAX_ROWS) * width } }),
    expected: () => ({
      out: { type: (bytes: ArrayBuffer) => unpackHalves(bytes, rows, width), values },
    }),
  };
}

/** Shapes of ExecuTorch's own suite, then past them. */
export const rmsNormSuite = defineSuite("rms_norm", [
  rmsNormCase(7, 896),
  rmsNormCase(1, 64),
  rmsNormCase(1, 32),
  rmsNormCase(1, 1),
  rmsNormCase(1, 100),
  rmsNormCase(1, 130),
  rmsNormCase(20, 128),
  rmsNormCase(1024, 64),
  rmsNormCase(5, 256),
  rmsNormCase(4, 128, 1e-5),
  rmsNormCase(1, 2048, 1e-5),
  rmsNormCase(3, 4096),
  rmsNormCase(2, 1030),
  rmsNormCase(2, 1020),
  rmsNormCase(1, 8192),
  rmsNormHalvesCase(1, 64),
  rmsNormHalvesCase(32, 136),
  rmsNormHalvesCase(33, 136),
  rmsNormHalvesCase(65, 8),
  rmsNormHalvesCase(35, 4096, 1e-5),
  saturatingCase(33, 136),
]);
