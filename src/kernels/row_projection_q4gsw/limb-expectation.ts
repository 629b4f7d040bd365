import { LIMB_GROUP_SIZE, LIMB_LIMIT, limbGroups, unpackLimbs } from "../../quant/int8-limbs.ts";
import type { Tolerance } from "../testing/compare.ts";
import type { Expectation } from "../testing/suite.ts";

/** What rounding to an integer may take from a value, in steps of its group's scale. */
const HALF_STEP = 0.51;

const groupsOf = (values: Float64Array): Float64Array[] =>
  Array.from({ length: values.length / LIMB_GROUP_SIZE }, (_, group) =>
    values.subarray(LIMB_GROUP_SIZE * group, LIMB_GROUP_SIZE * (group + 1)),
  );

/** Each value of limbs, as near to what is expected as its rounding may have moved it away. */
function unrounded(limbs: Uint8Array, expected: Float64Array): Float64Array {
  const slack = groupsOf(expected).map((group) => {
    const largest = group.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    return (HALF_STEP * largest) / LIMB_LIMIT;
  });
  return unpackLimbs(limbs).map((value, k) => {
    const most = slack[Math.floor(k / LIMB_GROUP_SIZE)]!;
    const off = value - expected[k]!;
    // No number stays none.
    return off > most ? value - most : off < -most ? value + most : value - off;
  });
}

/**
 * What a row must be as limbs: `outputs` times the next norm's weights, but for half a step of their
 * groups' scales, and the squares of `outputs`.
 */
export function limbExpectation(
  outputs: Float64Array,
  next: Float32Array | undefined,
  tolerance: Tolerance,
): Expectation {
  const squares = groupsOf(outputs).map((group) =>
    group.reduce((sum, value) => sum + value ** 2, 0),
  );
  const values = outputs.map((value, n) => value * (next?.[n] ?? 1));
  return {
    type: (bytes) => {
      const limbs = new Uint8Array(bytes);
      return Float64Array.of(
        ...unrounded(limbs, values),
        ...limbGroups(limbs).map((group) => group.squares),
      );
    },
    values: Float64Array.of(...values, ...squares),
    tolerance,
  };
}
