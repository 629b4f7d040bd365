import { DeviceError } from "../errors.ts";
import type { GpuDevice } from "../gpu/device.ts";
import type { TunableCall } from "../graph/tuning.ts";
import { Deadline } from "./deadline.ts";
import { weight } from "./call-weight.ts";
import { tuneCall } from "./tune-call.ts";
import type { CallResult } from "./tune-call.ts";

/** A first load is allowed to take this much longer. */
export const DEFAULT_BUDGET_MS = 3000;

export interface TuneOptions {
  /** Milliseconds for all calls; those left then keep their defaults. */
  readonly budgetMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** Told before each call is measured. */
  readonly onCall?: (done: number, total: number) => void;
}

/** Calls of several plans, one for each key: group by group, of each the weightiest first. */
export function distinctCalls(groups: readonly (readonly TunableCall[])[]): TunableCall[] {
  const distinct = new Map<string, TunableCall>();
  for (const group of groups) {
    for (const call of [...group].sort((a, b) => weight(b) - weight(a))) {
      if (!distinct.has(call.tunable.key)) distinct.set(call.tunable.key, call);
    }
  }
  return [...distinct.values()];
}

/**
 * Measures calls on the device, one after another; a result for each. Rejects with `DeviceError` where the device is
 * lost, or with the signal's reason; memory that is not there only ends the measurement.
 */
export async function tuneCalls(
  gpu: GpuDevice,
  calls: readonly TunableCall[],
  { budgetMs = DEFAULT_BUDGET_MS, signal, onCall }: TuneOptions = {},
): Promise<CallResult[]> {
  const deadline = new Deadline(budgetMs, signal);
  const results: CallResult[] = [];
  for (const [index, call] of calls.entries()) {
    if (deadline.expired()) {
      results.push(unmeasured(call));
      continue;
    }
    onCall?.(index, calls.length);
    const result = await measured(gpu, call, () => tuneCall(gpu, call, deadline));
    // One that had all the time there is will not be finished next time either.
    const hopeless = index === 0 && result.choice === undefined;
    results.push(hopeless ? { ...result, choice: result.defaultName } : result);
  }
  return results;
}

const unmeasured = ({ tunable: { key, candidates } }: TunableCall): CallResult => ({
  key,
  defaultName: candidates[0].name,
  choice: undefined,
  timesNs: new Map(),
  candidates: candidates.length,
  warnings: [],
});

/** What went wrong as a result, where the device survives it. */
async function measured(
  gpu: GpuDevice,
  call: TunableCall,
  work: () => Promise<CallResult>,
): Promise<CallResult> {
  const failed = (message: string): CallResult => ({
    ...unmeasured(call),
    warnings: [`tune: ${call.tunable.key}: not measured: ${message}`],
  });
  gpu.device.pushErrorScope("validation");
  let result: CallResult;
  try {
    result = await gpu.catchOutOfMemory("measuring kernels", work);
  } catch (error) {
    await gpu.device.popErrorScope().catch(() => null);
    if (error instanceof DeviceError && error.reason === "memory") return failed(error.message);
    throw error;
  }
  const invalid = await gpu.device.popErrorScope();
  return invalid === null ? result : failed(invalid.message);
}
