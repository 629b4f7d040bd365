import type { DispatchRecord } from "../gpu/query-pool.ts";

/** `prefill` reads the prompt, `decode` makes one token a run. */
export type ProfilePhase = "prefill" | "decode";

/** One submit: a chunk of the prompt, or a step. */
export interface ProfiledRun {
  readonly phase: ProfilePhase;
  /** Position in the context of its first token. */
  readonly position: number;
  readonly tokens: number;
  /** In order of execution. */
  readonly records: readonly DispatchRecord[];
}

/** All dispatches of one kernel. */
export interface KernelSummary {
  readonly kernel: string;
  readonly calls: number;
  readonly totalNs: number;
  readonly meanNs: number;
  /** Of the time of all dispatches summed up, 0 to 1. */
  readonly share: number;
}

/** Time summed by kernel, the longest first. */
export function summarizeKernels(records: readonly DispatchRecord[]): KernelSummary[] {
  const sums = new Map<string, { calls: number; totalNs: number }>();
  let allNs = 0;
  for (const { kernel, durationNs } of records) {
    const sum = sums.get(kernel) ?? { calls: 0, totalNs: 0 };
    sum.calls += 1;
    sum.totalNs += durationNs;
    allNs += durationNs;
    sums.set(kernel, sum);
  }
  return [...sums]
    .map(([kernel, { calls, totalNs }]) => ({
      kernel,
      calls,
      totalNs,
      meanNs: totalNs / calls,
      share: allNs === 0 ? 0 : totalNs / allNs,
    }))
    .sort((a, b) => b.totalNs - a.totalNs || a.kernel.localeCompare(b.kernel));
}

export const PHASES: readonly ProfilePhase[] = ["prefill", "decode"];

/** The runs of a phase. */
export function runsOf(runs: readonly ProfiledRun[], phase: ProfilePhase): ProfiledRun[] {
  return runs.filter((run) => run.phase === phase);
}

/** GPU time of all dispatches of a run. */
export function busyNs({ records }: ProfiledRun): number {
  return records.reduce((sum, { durationNs }) => sum + durationNs, 0);
}

/** Where a dispatch is drawn: what precedes its duration was another's. */
export function drawnStartNs({ endNs, durationNs }: DispatchRecord): number {
  return endNs - durationNs;
}

/** From when to when a run's dispatches ran; undefined where it has none. */
export function spanOf({
  records,
}: ProfiledRun): { readonly startNs: number; readonly endNs: number } | undefined {
  if (records.length === 0) return undefined;
  let startNs = Infinity;
  let endNs = -Infinity;
  for (const record of records) {
    startNs = Math.min(startNs, drawnStartNs(record));
    endNs = Math.max(endNs, record.endNs);
  }
  return { startNs, endNs };
}

/** What a run computes, for people: `decode of position 12`. */
export function describeRun({ phase, position, tokens }: ProfiledRun): string {
  return tokens === 1
    ? `${phase} of position ${position}`
    : `${phase} of positions ${position} to ${position + tokens - 1}`;
}
