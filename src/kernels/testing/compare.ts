/** How far a result may be from its reference: absolutely, or relative to the reference. */
export interface Tolerance {
  readonly absolute: number;
  readonly relative: number;
}

/** How far it was. */
export interface Deviation {
  readonly maxAbsolute: number;
  readonly maxRelative: number;
  /** Elements outside the tolerance, and a readable account of the first few. */
  readonly failures: number;
  readonly report: string;
}

/** Below this a reference counts as zero when errors are put in relation to it. */
const SMALLEST_REFERENCE = 1e-6;
const REPORTED_FAILURES = 5;

/**
 * Compares elementwise: an element passes where |actual − expected| ≤ absolute, or divided by
 * max(|expected|, 1e-6) ≤ relative. NaN passes only for NaN, an infinity for the same infinity.
 * `indices` says which elements of `actual` the expected ones are; all of them in order if absent.
 */
export function compare(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: Tolerance,
  indices?: ArrayLike<number>,
): Deviation {
  let maxAbsolute = 0;
  let maxRelative = 0;
  let failures = 0;
  const lines: string[] = [];
  if (indices === undefined && actual.length !== expected.length) {
    return {
      maxAbsolute: Infinity,
      maxRelative: Infinity,
      failures: 1,
      report: `length ${actual.length}, expected ${expected.length}`,
    };
  }
  for (let i = 0; i < expected.length; i++) {
    const at = indices === undefined ? i : indices[i]!;
    const got = actual[at] ?? Number.NaN;
    const want = expected[i]!;
    if (Object.is(got, want) || got === want) continue;
    const absolute = Math.abs(got - want);
    const relative = absolute / Math.max(Math.abs(want), SMALLEST_REFERENCE);
    const passes = absolute <= tolerance.absolute || relative <= tolerance.relative;
    maxAbsolute = Math.max(maxAbsolute, Number.isNaN(absolute) ? Infinity : absolute);
    maxRelative = Math.max(maxRelative, Number.isNaN(relative) ? Infinity : relative);
    if (passes) continue;
    failures += 1;
    if (lines.length < REPORTED_FAILURES) {
      lines.push(`[${at}] got ${got}, expected ${want}, off by ${absolute.toExponential(2)}`);
    }
  }
  return { maxAbsolute, maxRelative, failures, report: lines.join("\n") };
}
