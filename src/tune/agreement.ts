/** Which candidates compute what the others do. */
import { compare } from "../kernels/testing/compare.ts";
import type { Tolerance } from "../kernels/testing/compare.ts";

/** What a candidate wrote, all its outputs one after another. */
export interface CandidateOutput {
  readonly name: string;
  readonly values: Float32Array;
  /** Its own, if that is not the operator's. */
  readonly tolerance?: Tolerance | undefined;
}

/** A candidate that computes something else than the reference. */
export interface Rejection {
  readonly name: string;
  readonly why: string;
  /** Whose results were taken for right. */
  readonly reference: string;
}

/** Candidates that may be chosen, and those that may not. */
export interface Agreement {
  readonly sound: readonly string[];
  readonly rejections: readonly Rejection[];
}

/** How one candidate's results differ from another's; undefined where they agree. */
function difference(
  actual: CandidateOutput,
  expected: CandidateOutput,
  tolerance: Tolerance,
): string | undefined {
  // Both may be off, in opposite directions.
  const a = actual.tolerance ?? tolerance;
  const b = expected.tolerance ?? tolerance;
  const both = { absolute: a.absolute + b.absolute, relative: a.relative + b.relative };
  const { failures, maxAbsolute } = compare(actual.values, expected.values, both);
  return failures === 0
    ? undefined
    : `${failures} of ${actual.values.length} results off, by up to ${maxAbsolute.toPrecision(2)}`;
}

/**
 * Whether there are results at all. Buffers may be larger than results, and what nobody writes is NaN
 * with everybody.
 */
const hasNumbers = ({ values }: CandidateOutput): boolean => values.some(Number.isFinite);

/** Whose results are right: the default's, unless nobody agrees with it and others agree. */
function referenceAmong(
  first: CandidateOutput,
  others: readonly CandidateOutput[],
  tolerance: Tolerance,
): CandidateOutput {
  const candidates = others.filter(hasNumbers);
  const hasCompany = (output: CandidateOutput) =>
    candidates.some(
      (other) => other !== output && difference(other, output, tolerance) === undefined,
    );
  if (hasNumbers(first) && hasCompany(first)) return first;
  const stranger = hasNumbers(first) ? undefined : candidates[0];
  return candidates.find(hasCompany) ?? stranger ?? first;
}

/** Says which candidates may be chosen. The first is the default. */
export function judge(outputs: readonly CandidateOutput[], tolerance: Tolerance): Agreement {
  const [first, ...others] = outputs;
  if (first === undefined) return { sound: [], rejections: [] };
  const reference = referenceAmong(first, others, tolerance);
  const sound: string[] = [];
  const rejections: Rejection[] = [];
  for (const output of outputs) {
    const why = hasNumbers(output)
      ? difference(output, reference, tolerance)
      : "results that are no numbers";
    if (why === undefined) sound.push(output.name);
    else rejections.push({ name: output.name, why, reference: reference.name });
  }
  return { sound, rejections };
}
