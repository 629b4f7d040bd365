import { ramp, randomValues } from "../testing/data.ts";
import { storeValues } from "../testing/stored-values.ts";
import { defineSuite } from "../testing/suite.ts";
import type { KernelCase } from "../testing/suite.ts";
import { argmax } from "./argmax.ts";
import type { ArgmaxLive, ArgmaxShape } from "./argmax.ts";
import { argmaxReference } from "./argmax.reference.ts";

interface ArgmaxOptions {
  readonly inner?: number;
  readonly type?: ArgmaxShape["type"];
}

function argmaxCases(
  name: string,
  width: number,
  values: ArrayLike<number>,
  { inner = 1, type = "f32" }: ArgmaxOptions = {},
): KernelCase<ArgmaxLive>[] {
  const rows = values.length / width;
  const x = storeValues(type, values);
  return (["argmax", "argmin"] as const).map((op) => ({
    name: `${op} ${type} ${name} ${rows / inner}x${width}x${inner}`,
    route: (capabilities) => argmax({ op, type, width, maxRows: rows }, capabilities),
    expectRoute: () => "argmax",
    live: inner === 1 ? { rows } : { rows, inner },
    operands: () => ({ x: x.bytes, out: { bytes: 4 * rows } }),
    expected: () => ({
      out: { type: "i32" as const, values: argmaxReference(op, x.numbers, width, inner) },
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

const F16 = { type: "f16" } as const;
const I32 = { type: "i32" } as const;
const [LEAST, GREATEST] = [-(2 ** 31), 2 ** 31 - 1];

/** Of the whole range. */
const integers = (length: number) =>
  Int32Array.from(randomValues(length, 10), (value) => value * GREATEST);

export const argmaxSuite = defineSuite("argmax", [
  ...argmaxCases("one", 1, Float32Array.of(3)),
  ...argmaxCases("ramp", 64, ramp(4 * 64, 17, 8, 16)),
  ...argmaxCases("ramp", 100, ramp(7 * 100, 13, 6, 8)),
  ...argmaxCases("random", 130, randomValues(300 * 130, 5)),
  ...argmaxCases("random", 5000, randomValues(3 * 5000, 6)),
  ...argmaxCases("middle", 65, randomValues(3 * 65 * 7, 8), { inner: 7 }),
  ...argmaxCases("wide", 128_256, wide),
  ...argmaxCases("all equal", 300, new Float32Array(600).fill(-1)),
  ...argmaxCases("both zeros", 8, Float32Array.of(-0, 0, -0, 0, 0, -0, 0, -0)),
  ...argmaxCases("infinities", 9, withValues(9, 1, { 3: Infinity, 6: -Infinity })),
  ...argmaxCases("all −inf", 9, new Float32Array(9).fill(-Infinity)),
  ...argmaxCases("NaN", 400, withValues(800, 1, { 250: NaN, 390: NaN, 401: 5, 700: -5 })),
  ...argmaxCases("subnormals", 4, Float32Array.of(0, 1e-40, -1e-40, 0)),
  ...argmaxCases("random", 5000, randomValues(3 * 5000, 6), F16),
  ...argmaxCases("odd rows", 33, randomValues(7 * 33, 6), F16),
  ...argmaxCases("middle", 65, randomValues(3 * 65 * 7, 8), { ...F16, inner: 7 }),
  ...argmaxCases("both zeros", 8, Float32Array.of(-0, 0, -0, 0, 0, -0, 0, -0), F16),
  ...argmaxCases("infinities", 9, withValues(9, 1, { 3: Infinity, 6: -Infinity }), F16),
  ...argmaxCases("all −inf", 9, new Float32Array(9).fill(-Infinity), F16),
  ...argmaxCases("NaN", 401, withValues(802, 1, { 250: NaN, 390: NaN, 402: 5, 700: -5 }), F16),
  // Multiples of 2⁻²⁴, f16's smallest number.
  ...argmaxCases("subnormals", 5, Float32Array.of(0, 6e-8, -6e-8, 1.2e-7, 0), F16),
  ...argmaxCases("random", 5000, integers(3 * 5000), I32),
  ...argmaxCases("middle", 65, integers(3 * 65 * 7), { ...I32, inner: 7 }),
  ...argmaxCases("ends", 4, Int32Array.of(0, LEAST, GREATEST, -1, GREATEST, 5, LEAST, LEAST), I32),
  // The same in f32.
  ...argmaxCases("beyond 2^24", 3, Int32Array.of(2 ** 24, 2 ** 24 + 1, 2 ** 24), I32),
]);
