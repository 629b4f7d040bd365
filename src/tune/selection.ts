/** Times → a choice. Pure. */

/** A candidate's times by trial, nanoseconds a call. */
export interface CandidateTimes {
  readonly name: string;
  readonly trials: readonly (readonly number[])[];
}

/**
 * How much faster than the default a candidate must be: less may be noise, or the other way round between
 * other kernels, and what was measured and tested more often is worth something.
 */
export const MARGIN = 0.05;

/** The middle value, or the mean of the two. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1
    ? sorted[Math.floor(middle)]!
    : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Geometric mean of the trials' medians: a short trial counts as much as a long one. */
export function score({ trials }: Pick<CandidateTimes, "trials">): number {
  const logarithms = trials.map((times) => Math.log(median(times)));
  return Math.exp(logarithms.reduce((sum, value) => sum + value, 0) / logarithms.length);
}

/** Those within `factor` of the fastest; the default stays as what the others are compared with. */
export function promising<T extends CandidateTimes>(
  candidates: readonly T[],
  defaultName: string,
  factor: number,
): T[] {
  const fastest = Math.min(...candidates.map(score));
  return candidates.filter(
    (candidate) => candidate.name === defaultName || score(candidate) <= factor * fastest,
  );
}

/** The fastest, or the default where that is not slower by more than the margin. */
export function choose(
  candidates: readonly CandidateTimes[],
  defaultName: string,
): string | undefined {
  let fastest: CandidateTimes | undefined;
  for (const candidate of candidates) {
    if (fastest === undefined || score(candidate) < score(fastest)) fastest = candidate;
  }
  const preferred = candidates.find(({ name }) => name === defaultName);
  if (fastest === undefined || preferred === undefined) return fastest?.name;
  return score(fastest) < (1 - MARGIN) * score(preferred) ? fastest.name : defaultName;
}
