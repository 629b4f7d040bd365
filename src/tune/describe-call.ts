import type { TunedCall } from "../api.ts";
import type { CallResult } from "./tune-call.ts";

/** A result as the public interface has it. */
export function describeCall({
  key,
  candidates,
  defaultName,
  choice,
  timesNs,
}: CallResult): TunedCall {
  const microseconds = (name: string | undefined): number | undefined => {
    const ns = name === undefined ? undefined : timesNs.get(name);
    return ns === undefined ? undefined : ns / 1000;
  };
  return {
    key,
    candidates,
    default: defaultName,
    defaultUs: microseconds(defaultName),
    choice,
    choiceUs: microseconds(choice),
  };
}
