import process from "node:process";
import { pathToFileURL } from "node:url";
import { Option } from "commander";
import type { Command } from "commander";
import type { TunedCall, TuneResult } from "../api.ts";
import type { Tetrad } from "../node.ts";
import { openSource } from "../platform/node/open-source.ts";
import { createTetrad } from "./create-tetrad.ts";
import { Interruption, INTERRUPTED } from "./interruption.ts";
import { numberOption, precisionOption } from "./option-values.ts";
import { formatTable } from "./table.ts";
import { warn } from "./warn.ts";

/** The flags of `tetrad tune`, as Commander names them. */
interface TuneFlags {
  readonly budget: number;
  readonly context?: number;
  readonly cacheType?: "f16" | "f32";
  readonly tokenizer?: string;
  readonly precision?: "exact" | "fast";
  readonly requireGpu?: boolean;
  readonly software?: boolean;
  readonly json?: boolean;
}

const DEFAULT_BUDGET_S = 10;

/** Adds `tetrad tune [MODEL]`; the exit code goes to `setExitCode`. */
export function addTune(
  program: Command,
  embeddedModel: string,
  setExitCode: (code: number) => void,
): void {
  program
    .command("tune")
    .description("Measure which kernels are fastest here for a model, and keep the choices.")
    .argument("[model]", "path or URL of a model (default: the model inside)")
    .option(
      "--budget <seconds>",
      "most time to spend",
      numberOption({ above: 0 }),
      DEFAULT_BUDGET_S,
    )
    .option(
      "--context <tokens>",
      "positions the KV cache holds",
      numberOption({ min: 1, integer: true }),
    )
    .addOption(new Option("--cache-type <type>", "KV cache elements").choices(["f16", "f32"]))
    .addOption(precisionOption())
    .option("--tokenizer <file>", "a tokenizer.json, for models that carry none")
    .option("--require-gpu", "fail where there is no GPU")
    .addOption(new Option("--software", "compute on the CPU (SwiftShader)").conflicts("requireGpu"))
    .option("--json", "print one JSON object instead of a table")
    .option("--debug", "show stack traces")
    .action(async (model: string | undefined, flags: TuneFlags) =>
      setExitCode(await tuneCommand(model, flags, embeddedModel)),
    );
}

const microseconds = (us: number | undefined): string => (us === undefined ? "–" : us.toFixed(1));

/** How much less time the choice takes than the default. */
function gain({ defaultUs, choiceUs }: TunedCall): string {
  if (defaultUs === undefined || choiceUs === undefined) return "";
  return defaultUs === choiceUs ? "" : `${Math.round(100 * (1 - choiceUs / defaultUs))} %`;
}

/** A line a call: what it is, the default, and what was chosen of how many. */
export function tuneTable(calls: readonly TunedCall[]): string {
  const titles = ["call", "ways", "default", "µs", "choice", "µs", "less"];
  const rows = calls.map((call) => [
    call.key,
    String(call.candidates),
    call.default,
    microseconds(call.defaultUs),
    call.choice === undefined ? "not measured" : call.choice === call.default ? "=" : call.choice,
    microseconds(call.choiceUs),
    gain(call),
  ]);
  return formatTable([titles, ...rows], [1, 3, 5, 6]);
}

function print(tetrad: Tetrad, { calls, warnings }: TuneResult, flags: TuneFlags): void {
  if (flags.json === true) {
    const report = { adapter: tetrad.adapterName, calls, warnings };
    process.stdout.write(`${JSON.stringify(report)}\n`);
    return;
  }
  const text = calls.length === 0 ? "There is nothing to choose from here." : tuneTable(calls);
  process.stdout.write(`${text}\n`);
  process.stderr.write(`${calls.length} kinds of calls, on ${tetrad.adapterName}\n`);
}

/** `tetrad tune [MODEL]`. Returns the exit code. */
async function tuneCommand(
  model: string | undefined,
  flags: TuneFlags,
  embeddedModel: string,
): Promise<number> {
  const { budget, context, cacheType, tokenizer, precision, requireGpu, software } = flags;
  const interruption = new Interruption();
  const { signal } = interruption;
  // Told as soon as possible: a wrong path before a GPU is looked for.
  const source = await openSource(model ?? pathToFileURL(embeddedModel), signal);
  let tetrad: Tetrad | undefined;
  try {
    tetrad = await createTetrad({
      ...(requireGpu === undefined ? {} : { requireGpu }),
      ...(software === undefined ? {} : { forceSoftware: software }),
      onWarning: warn,
    });
    const result = await tetrad.tune(source, {
      budgetMs: 1000 * budget,
      signal,
      ...(context === undefined ? {} : { contextLength: context }),
      ...(cacheType === undefined ? {} : { cacheType }),
      ...(tokenizer === undefined ? {} : { tokenizer }),
      ...(precision === undefined ? {} : { precision }),
    });
    print(tetrad, result, flags);
    return 0;
  } catch (error) {
    if (!signal.aborted) throw error;
    return INTERRUPTED;
  } finally {
    await tetrad?.dispose();
    await source.close();
    interruption.dispose();
  }
}
