import { expect, test } from "vitest";
import type { TunableCall } from "../graph/tuning.ts";
import type { Candidate } from "../kernels/shared/tunable.ts";
import { avoidanceOf } from "./integer-dot.ts";
import type { CallResult } from "./tune-call.ts";

const candidate = (name: string, integerDot?: true): Candidate<unknown> => ({
  name,
  route: () => {
    throw new Error("nobody looks at it");
  },
  ...(integerDot === undefined ? {} : { integerDot }),
});

test.each([
  [100, 100, "no faster"],
  [100, 88, "no faster"],
  [100, 86, "faster"],
  [86, 100, "no faster"],
])("%i ns with integer dot products, %i without: %s", (withDots, without, expected) => {
  const candidates = [candidate("limbs", true), candidate("slow", true), candidate("f32")] as const;
  const call = { tunable: { candidates } } as unknown as TunableCall;
  const timesNs = new Map([
    ["limbs", withDots],
    ["slow", 900],
    ["f32", without],
  ]);
  expect(avoidanceOf(call, { timesNs } as unknown as CallResult)).toBe(expected);
});
