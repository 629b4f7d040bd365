import type { DispatchRecord } from "../gpu/query-pool.ts";
import { describeRun, drawnStartNs, PHASES, spanOf } from "./profile.ts";
import type { ProfiledRun } from "./profile.ts";

/** An event of the Trace Event Format; `ts` and `dur` are microseconds. */
interface TraceEvent {
  readonly name: string;
  readonly ph: "X" | "M";
  readonly pid: number;
  readonly tid: number;
  readonly cat?: string;
  readonly ts?: number;
  readonly dur?: number;
  readonly args: Readonly<Record<string, unknown>>;
}

const PID = 1;

/**
 * The profile as JSON in the Trace Event Format, for `chrome://tracing` and ui.perfetto.dev: a row
 * per phase, runs above their dispatches.
 */
export function profileTrace(runs: readonly ProfiledRun[]): string {
  const traceEvents: TraceEvent[] = [
    { name: "process_name", ph: "M", pid: PID, tid: 0, args: { name: "GPU" } },
    ...PHASES.map((name, tid): TraceEvent => ({
      name: "thread_name",
      ph: "M",
      pid: PID,
      tid,
      args: { name },
    })),
  ];
  for (const run of runs) {
    const span = spanOf(run);
    if (span === undefined) continue;
    const tid = PHASES.indexOf(run.phase);
    traceEvents.push({
      name: describeRun(run),
      ph: "X",
      pid: PID,
      tid,
      cat: "run",
      ts: span.startNs / 1000,
      dur: (span.endNs - span.startNs) / 1000,
      args: { position: run.position, tokens: run.tokens, dispatches: run.records.length },
    });
    for (const record of run.records) traceEvents.push(dispatchEvent(record, tid));
  }
  return JSON.stringify({ displayTimeUnit: "ns", traceEvents });
}

function dispatchEvent(record: DispatchRecord, tid: number): TraceEvent {
  const { kernel, durationNs, index, grid, workgroup } = record;
  return {
    name: kernel,
    ph: "X",
    pid: PID,
    tid,
    cat: "dispatch",
    ts: drawnStartNs(record) / 1000,
    dur: durationNs / 1000,
    args: { index, grid, workgroup },
  };
}
