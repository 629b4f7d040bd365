import { limbGroups, unpackLimbs } from "../../quant/int8-limbs.ts";
import type { Tolerance } from "../testing/compare.ts";
import type { Expectation } from "../testing/suite.ts";

/** Limbs' values, and their sums of squares, and what is wrong with their sums. */
const limbNumbers = (bytes: ArrayBuffer) => {
  const limbs = new Uint8Array(bytes);
  const groups = limbGroups(limbs);
  return Float64Array.of(
    ...unpackLimbs(limbs),
    ...groups.map(({ squares }) => squares),
    ...groups.map(({ sum, sumOfIntegers }) => sum - sumOfIntegers),
  );
};

/**
 * What a row must be as limbs: `outputs` times the next norm's weights, the squares of `outputs`, and
 * sums that are those of the integers.
 */
export function limbExpectation(
  outputs: Float64Array,
  next: Float32Array | undefined,
  tolerance: Tolerance,
): Expectation {
  const groups = outputs.length / 32;
  const squares = Float64Array.from({ length: groups }, (_, group) =>
    outputs.subarray(32 * group, 32 * group + 32).reduce((sum, value) => sum + value ** 2, 0),
  );
  const values = outputs.map((value, n) => value * (next?.[n] ?? 1));
  // Half a step of a group's scale, beside the error of the values themselves.
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return {
    type: limbNumbers,
    values: Float64Array.of(...values, ...squares, ...new Float64Array(groups)),
    tolerance: { ...tolerance, absolute: tolerance.absolute + largest / 65024 },
  };
}
