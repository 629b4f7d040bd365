import { adapterName } from "../gpu/capabilities.ts";
import type { Capabilities } from "../gpu/capabilities.ts";
import type { GpuDevice } from "../gpu/device.ts";
import type { TunableCall, Tuning } from "../graph/tuning.ts";
import { withinTolerance } from "../kernels/shared/tunable.ts";
import type { TuningStore } from "../tuning-store.ts";
import { avoidanceKey, avoidanceOf, avoidsIntegerDot, mayAvoidIntegerDot } from "./integer-dot.ts";
import { digestOf, formatChoices, parseChoices, storeName } from "./stored-choices.ts";
import type { StoredChoice } from "./stored-choices.ts";
import type { CallResult } from "./tune-call.ts";
import { distinctCalls, tuneCalls } from "./tune-calls.ts";
import type { TuneOptions } from "./tune-calls.ts";

export interface DeviceTuningOptions extends TuneOptions {
  /** Where choices are kept; nowhere without one. */
  readonly store?: TuningStore | undefined;
  /** What the plans make use of, where that is less than the device has. */
  readonly capabilities?: Capabilities;
  /** What else the device was made with: toggles that change its speed. */
  readonly settings?: readonly string[];
  /** Whether candidates may be chosen that round more than their operator's tolerance allows. */
  readonly precision?: "exact" | "fast" | undefined;
  /** Measures what is known already. */
  readonly again?: boolean;
}

/** Choices for a model's calls on a device. */
export interface DeviceTuning {
  readonly tuning: Tuning;
  /**
   * Calls that could do without integer dot products are clearly faster that way: a plan that never
   * uses them is likely to be, too.
   */
  readonly avoidsIntegerDot: boolean;
  /** Of what was measured now, not of what was known. */
  readonly results: readonly CallResult[];
  readonly warnings: readonly string[];
}

/**
 * The names in the store, which may be of candidates that are gone by now: for a first plan, whose
 * calls {@link tuneDevice} then looks at.
 */
export async function storedTuning(
  gpu: GpuDevice,
  { store, ...options }: DeviceTuningOptions,
): Promise<Tuning> {
  const stored = await readChoices(store, nameFor(gpu, options));
  return new Map([...stored].map(([key, { choice }]) => [key, choice]));
}

/**
 * The choices for these calls, the most urgent group first: what the store has of them, and what is measured of the others. Rejects
 * as `tuneCalls` does; a store that fails only costs its contents.
 */
export async function tuneDevice(
  gpu: GpuDevice,
  groups: readonly (readonly TunableCall[])[],
  { store, again = false, ...options }: DeviceTuningOptions = {},
): Promise<DeviceTuning> {
  const allowed =
    options.precision === "fast" ? groups : groups.map((calls) => calls.map(exactCall));
  const calls = distinctCalls(allowed).filter(({ tunable }) => tunable.candidates.length > 1);
  const name = nameFor(gpu, options);
  const digests = new Map(calls.map(({ tunable }) => [tunable.key, digestOf(tunable)]));
  const stored = await readChoices(store, name);
  const known = ({ tunable }: TunableCall): StoredChoice | undefined => {
    const choice = stored.get(tunable.key);
    const isCandidate = tunable.candidates.some((candidate) => candidate.name === choice?.choice);
    return isCandidate && choice?.digest === digests.get(tunable.key) ? choice : undefined;
  };
  const unknown = calls.filter((call) => again || known(call) === undefined);
  const results = unknown.length === 0 ? [] : await tuneCalls(gpu, unknown, options);
  const warnings = results.flatMap((result) => result.warnings);

  const tuning = new Map<string, string>();
  for (const call of calls) {
    const choice = known(call)?.choice;
    if (choice !== undefined) tuning.set(call.tunable.key, choice);
  }
  const measured = new Map<string, StoredChoice>();
  for (const result of results) {
    const { key, choice } = result;
    if (choice === undefined) continue;
    const digest = digests.get(key) ?? "";
    tuning.set(key, choice);
    measured.set(key, { digest, choice });
    const call = calls.find(({ tunable }) => tunable.key === key);
    if (call !== undefined && mayAvoidIntegerDot(call)) {
      measured.set(avoidanceKey(key), { digest, choice: avoidanceOf(call, result) });
    }
  }
  if (store !== undefined && measured.size > 0) {
    const problem = await writeChoices(
      store,
      name,
      adapterName(gpu.capabilities.adapter),
      measured,
    );
    if (problem !== undefined) warnings.push(problem);
  }
  return {
    tuning,
    avoidsIntegerDot: avoidsIntegerDot(calls, digests, new Map([...stored, ...measured])),
    results,
    warnings,
  };
}

const exactCall = (call: TunableCall): TunableCall => ({
  ...call,
  tunable: withinTolerance(call.tunable),
});

function nameFor(
  gpu: GpuDevice,
  { capabilities = gpu.capabilities, settings = [], precision = "exact" }: DeviceTuningOptions,
): string {
  return storeName(capabilities, [...settings, `precision=${precision}`]);
}

async function readChoices(
  store: TuningStore | undefined,
  name: string,
): Promise<Map<string, StoredChoice>> {
  return parseChoices(await store?.read(name).catch(() => undefined));
}

/** Adds to what is there by now: another process may have measured as well. */
async function writeChoices(
  store: TuningStore,
  name: string,
  device: string,
  measured: ReadonlyMap<string, StoredChoice>,
): Promise<string | undefined> {
  const choices = await readChoices(store, name);
  for (const [key, choice] of measured) {
    choices.delete(key);
    choices.set(key, choice);
  }
  try {
    await store.write(name, formatChoices(device, choices));
    return undefined;
  } catch (error) {
    return `tune: choices cannot be kept for the next run: ${String(error)}`;
  }
}
