import type { Deadline } from "./deadline.ts";
import { promising } from "./selection.ts";
import type { CandidateTimes } from "./selection.ts";

/** Calls of a candidate at a trial's sizes that are timed together. */
export interface Sample<Candidate> {
  readonly candidate: Candidate;
  readonly trial: number;
  readonly calls: number;
}

export interface Stopwatch<Candidate> {
  /** How long a sample should take so that what surrounds it does not matter, nanoseconds. */
  readonly sampleNs: number;
  /** Nanoseconds a call of each sample. */
  time(samples: readonly Sample<Candidate>[]): Promise<number[]>;
}

/** In a round every candidate that is left has a sample a trial, so that a clock that drifts slows all. */
const ROUNDS = 7;
/** Fewer, because time was up, are no grounds for a choice. */
const MIN_ROUNDS = 3;
/** How much slower than the fastest a candidate may be after a first look, and after a round. */
const FIRST_LOOK_FACTOR = 3;
const ROUND_FACTOR = 1.15;
/** Most calls a sample. */
const MAX_CALLS = 1024;

interface Entrant<Candidate> {
  readonly candidate: Candidate;
  readonly name: string;
  readonly trials: readonly number[][];
}

/**
 * Times candidates against each other; those that fall far behind are not timed to the end. Undefined
 * where time was up too early.
 */
export async function timeInRounds<Candidate extends { readonly name: string }>(
  stopwatch: Stopwatch<Candidate>,
  candidates: readonly Candidate[],
  trialCount: number,
  defaultName: string,
  deadline: Pick<Deadline, "expired">,
): Promise<readonly CandidateTimes[] | undefined> {
  const trials = Array.from({ length: trialCount }, (_, trial) => trial);
  const enter = (candidate: Candidate): Entrant<Candidate> => ({
    candidate,
    name: candidate.name,
    trials: trials.map(() => []),
  });
  const round = async (entrants: readonly Entrant<Candidate>[], calls: readonly number[]) => {
    const samples = entrants.flatMap(({ candidate }) =>
      trials.map((trial) => ({ candidate, trial, calls: calls[trial] ?? 1 })),
    );
    const times = await stopwatch.time(samples);
    const targets = entrants.flatMap((entrant) => entrant.trials);
    targets.forEach((target, index) => target.push(times[index] ?? Number.NaN));
  };

  const looks = candidates.map(enter);
  for (const look of looks) {
    if (deadline.expired()) return undefined;
    await round([look], []);
  }
  const calls = trials.map((trial) => {
    const fastest = Math.min(...looks.map((look) => look.trials[trial]?.[0] ?? Infinity));
    return Math.min(MAX_CALLS, Math.max(1, Math.ceil(stopwatch.sampleNs / Math.max(fastest, 1))));
  });
  let left = promising(looks, defaultName, FIRST_LOOK_FACTOR).map(({ candidate }) =>
    enter(candidate),
  );
  for (let done = 0; done < ROUNDS; done++) {
    if (deadline.expired()) return done >= MIN_ROUNDS ? left : undefined;
    await round(left, calls);
    left = promising(left, defaultName, ROUND_FACTOR);
  }
  return left;
}
