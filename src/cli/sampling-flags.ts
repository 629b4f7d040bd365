/** Flags that say how tokens are chosen, for every command that generates. */
import type { Command } from "commander";
import type { SamplingOptions } from "../api.ts";
import { given, numberOption } from "./option-values.ts";

/** Commander names them as the library names its options. */
export type SamplingFlags = SamplingOptions;

/** Adds the flags to a command. */
export function addSamplingFlags(command: Command): Command {
  const whole = numberOption({ min: 0, integer: true });
  const share = numberOption({ min: 0, max: 1 });
  return command
    .option("--temperature <t>", "0 takes the likeliest token (default)", numberOption({ min: 0 }))
    .option("--top-k <k>", "keep the k likeliest tokens; 0 is off", whole)
    .option("--top-p <p>", "keep tokens up to this probability", share)
    .option("--min-p <p>", "keep tokens this likely, relatively", share)
    .option("--repetition-penalty <x>", "1 is off", numberOption({ above: 0 }))
    .option("--seed <number>", "makes sampling repeatable", whole);
}

/** What was given; the library's own defaults apply to the rest. */
export const samplingOf = (flags: SamplingFlags): SamplingOptions =>
  given<SamplingOptions>({
    temperature: flags.temperature,
    topK: flags.topK,
    topP: flags.topP,
    minP: flags.minP,
    repetitionPenalty: flags.repetitionPenalty,
    seed: flags.seed,
  });
