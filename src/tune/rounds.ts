import type { Deadline } from "./deadline.ts";
import { median, promising } from "./selection.ts";
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
  /** How long the device must have worked, nanoseconds, until it is as fast as it is in use. */
  readonly warmUpNs: number;
  /** Nanoseconds a call of each sample. */
  time(samples: readonly Sample<Candidate>[]): Promise<number[]>;
}

/** Samples under way at once until the device is warm: between submits it would cool down again. */
const WARMING_SAMPLES = 8;
/** After a first look samples are this part of a whole one, and who is so much slower is out. */
const SHORT_SAMPLE = 1 / 4;
const SHORT_SAMPLE_FACTOR = 1.5;
/** In a round every candidate that is left has a sample a trial, so that a clock that drifts slows all. */
const ROUNDS = 7;
/** Fewer, because time was up, are no grounds for a choice. */
const MIN_ROUNDS = 3;
/** How much slower than the fastest a candidate may be after a round. */
const ROUND_FACTOR = 1.15;
/** Bounds of a sample's calls: however fast, a call takes this long, whatever a coarse clock says. */
const MAX_CALLS = 1024;
const SHORTEST_CALL_NS = 1000;

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

  // Single calls, only to see how many make a sample: most were never run before.
  const looks = candidates.map(enter);
  for (const look of looks) {
    if (deadline.expired()) return undefined;
    await round([look], []);
  }
  const callsIn = (entrants: readonly Entrant<Candidate>[], ns: number) =>
    trials.map((trial) => {
      const fastest = Math.min(...entrants.map((entrant) => median(entrant.trials[trial] ?? [])));
      return Math.min(MAX_CALLS, Math.max(1, Math.ceil(ns / Math.max(fastest, SHORTEST_CALL_NS))));
    });
  // It lowers its clocks while candidates compile.
  const warmUp = {
    candidate: candidates[0]!,
    trial: 0,
    calls: callsIn(looks, stopwatch.sampleNs)[0]!,
  };
  const warming = Array.from({ length: WARMING_SAMPLES }, () => warmUp);
  for (let busyNs = 0; busyNs < stopwatch.warmUpNs;) {
    if (deadline.expired()) return undefined;
    const times = await stopwatch.time(warming);
    for (const callNs of times) busyNs += Math.max(callNs * warmUp.calls, SHORTEST_CALL_NS);
  }
  const qualifying = candidates.map(enter);
  await round(qualifying, callsIn(looks, SHORT_SAMPLE * stopwatch.sampleNs));
  const calls = callsIn(qualifying, stopwatch.sampleNs);
  const qualified = promising(qualifying, defaultName, SHORT_SAMPLE_FACTOR);
  let left = qualified.map(({ candidate }) => enter(candidate));
  for (let done = 0; done < ROUNDS; done++) {
    if (deadline.expired()) return done >= MIN_ROUNDS ? left : undefined;
    await round(left, calls);
    left = promising(left, defaultName, ROUND_FACTOR);
  }
  return left;
}
