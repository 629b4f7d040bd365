import { ramp, randomValues } from "../testing/data.ts";
import { defineSuite } from "../testing/suite.ts";
import type { KernelCase } from "../testing/suite.ts";
import { argmax } from "./argmax.ts";
import type { ArgmaxLive } from "./argmax.ts";
import { argmaxReference } from "./argmax.reference.ts";

function argmaxCases(
  name: string,
  width: number,
  x: Float32Array<ArrayBuffer>,
  inner = 1,
): KernelCase<ArgmaxLive>[] {
  const rows = x.length / width;
  return (["argmax", "argmin"] as const).map((op) => ({
    name: `${op} ${name} ${rows / inner}x${width}x${inner}`,
    route: (capabilities) => argmax({ op, width, maxRows: rows }, capabilities),
    expectRoute: () => "argmax",
    live: inner === 1 ? { rows } : { rows, inner },
    operands: () => ({ x, out: { bytes: 4 * rows } }),
    expected: () => ({
      out: { type: "i32" as const, values: argmaxReference(op, x, width, inner) },
    }),
    tolerance: { absolute: 0, relative: 0 },
  }));
}

function withValues(length: number, fill: number, values: Readonly<Record<number, number>>) {
  const x = new Float32Array(length).fill(fill);
  for (const [at, value] of Object.entries(values)) x[Number(at)] = value;
  return x;
}

const wide = randomValues(128_256, 9);
// The largest twice: the first must win although another workgroup holds the second.
wide[70_001] = 2;
wide[127_000] = 2;
wide[90_003] = -2;
wide[90_004] = -2;

export const argmaxSuite = defineSuite("argmax", [
  ...argmaxCases("one", 1, Float32Array.of(3)),
  ...argmaxCases("ramp", 64, ramp(4 * 64, 17, 8, 16)),
  ...argmaxCases("ramp", 100, ramp(7 * 100, 13, 6, 8)),
  ...argmaxCases("random", 130, randomValues(300 * 130, 5)),
  ...argmaxCases("random", 5000, randomValues(3 * 5000, 6)),
  ...argmaxCases("middle", 65, randomValues(3 * 65 * 7, 8), 7),
  ...argmaxCases("wide", 128_256, wide),
  ...argmaxCases("all equal", 300, new Float32Array(600).fill(-1)),
  ...argmaxCases("both zeros", 8, Float32Array.of(-0, 0, -0, 0, 0, -0, 0, -0)),
  ...argmaxCases("infinities", 9, withValues(9, 1, { 3: Infinity, 6: -Infinity })),
  ...argmaxCases("all −inf", 9, new Float32Array(9).fill(-Infinity)),
  ...argmaxCases("NaN", 400, withValues(800, 1, { 250: NaN, 390: NaN, 401: 5, 700: -5 })),
  ...argmaxCases("subnormals", 4, Float32Array.of(0, 1e-40, -1e-40, 0)),
]);
