/**
 * Whether a device is slow at integer dot products. Some have them in WGSL and emulate them. Then not
 * only the calls that could do without should: rows would not go as limbs from kernel to kernel, which
 * a graph's passes decide.
 */
import type { TunableCall } from "../graph/tuning.ts";
import { weight } from "./call-weight.ts";
import type { StoredChoice } from "./stored-choices.ts";
import type { CallResult } from "./tune-call.ts";

const AVOIDED = "faster";
const USED = "no faster";

/** Not to be worth other plans: those without may take more dispatches. */
const CLEARLY_FASTER = 1.15;

/** How a store says whether a call is clearly faster without. */
export const avoidanceKey = (key: string): string => `${key}: without integer dot products`;

/** Whether a call has candidates with integer dot products and others without. */
export function mayAvoidIntegerDot({ tunable: { candidates } }: TunableCall): boolean {
  return new Set(candidates.map(({ integerDot }) => integerDot)).size > 1;
}

/** What a measurement says about it. */
export function avoidanceOf(
  { tunable: { candidates } }: TunableCall,
  { timesNs }: CallResult,
): string {
  const best = (wanted: true | undefined): number => {
    const some = candidates.filter(({ integerDot }) => integerDot === wanted);
    return Math.min(...some.map(({ name }) => timesNs.get(name) ?? Infinity));
  };
  return CLEARLY_FASTER * best(undefined) < best(true) ? AVOIDED : USED;
}

/** Goes by the weightiest of the calls that may. */
export function avoidsIntegerDot(
  calls: readonly TunableCall[],
  digests: ReadonlyMap<string, string>,
  choices: ReadonlyMap<string, StoredChoice>,
): boolean {
  const [decisive] = calls.filter(mayAvoidIntegerDot).sort((a, b) => weight(b) - weight(a));
  if (decisive === undefined) return false;
  const { key } = decisive.tunable;
  const found = choices.get(avoidanceKey(key));
  return found?.digest === digests.get(key) && found?.choice === AVOIDED;
}
