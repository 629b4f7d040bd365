import { writeFile } from "node:fs/promises";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { Option } from "commander";
import type { Command } from "commander";
import type { LoadOptions, ProfileResult, TetradOptions } from "../api.ts";
import { profileBars, profileSvg, profileTrace, profileTsv } from "../node.ts";
import type { Model, Tetrad } from "../node.ts";
import { openSource } from "../platform/node/open-source.ts";
import { createTetrad } from "./create-tetrad.ts";
import { Interruption, INTERRUPTED } from "./interruption.ts";
import { numberOption } from "./option-values.ts";
import { ProgressBar } from "./progress-bar.ts";
import { parseTarget, readStandardInput } from "./prompt.ts";
import { formatCount } from "./quantities.ts";
import { warn } from "./warn.ts";

/** The flags of `tetrad profile`, as Commander names them. */
interface ProfileOptions {
  readonly maxTokens: number;
  readonly context?: number;
  readonly tokenizer?: string;
  readonly requireGpu?: boolean;
  readonly software?: boolean;
  /** False with `--no-tune`. */
  readonly tune: boolean;
  readonly trace?: string;
  readonly svg?: string;
  readonly tsv?: string;
}

/**
 * A prompt and its first steps before anything is measured: drivers finish compiling when a kernel
 * first runs, and GPUs raise their clock under load.
 */
const WARM_UP_TOKENS = 3;
/** Steps enough for a mean, and soon over. */
const DEFAULT_MAX_TOKENS = 32;

/** Adds `tetrad profile [MODEL] PROMPT`; the exit code goes to `setExitCode`. */
export function addProfile(
  program: Command,
  embeddedModel: string,
  setExitCode: (code: number) => void,
): void {
  const whole = numberOption({ min: 1, integer: true });
  program
    .command("profile")
    .description("Show where the GPU's time goes, kernel by kernel, while it generates text.")
    .argument("[model-and-prompt...]", "[MODEL] PROMPT, as for run")
    .usage("[options] [MODEL] PROMPT")
    .option("-n, --max-tokens <count>", "stop after this many tokens", whole, DEFAULT_MAX_TOKENS)
    .option("--trace <file>", "write a trace for ui.perfetto.dev or chrome://tracing (JSON)")
    .option("--svg <file>", "write a picture of the timeline")
    .option("--tsv <file>", "write a row per dispatch and the sums by kernel")
    .option("--context <tokens>", "positions the KV cache holds", whole)
    .option("--tokenizer <file>", "a tokenizer.json, for models that carry none")
    .option("--no-tune", "the default kernels, whatever was measured on this device")
    .option("--require-gpu", "fail where there is no GPU")
    .addOption(new Option("--software", "compute on the CPU (SwiftShader)").conflicts("requireGpu"))
    .option("--debug", "show stack traces")
    .action(async (words: string[], options: ProfileOptions) =>
      setExitCode(await profileCommand(words, options, embeddedModel)),
    );
}

async function writeReports(
  { runs }: ProfileResult,
  flags: ProfileOptions,
  title: string,
  detail: string,
): Promise<void> {
  if (flags.trace !== undefined) await writeFile(flags.trace, profileTrace(runs));
  if (flags.svg !== undefined) await writeFile(flags.svg, profileSvg(runs, { title, detail }));
  if (flags.tsv !== undefined) await writeFile(flags.tsv, profileTsv(runs));
}

async function profile(
  tetrad: Tetrad,
  model: Model,
  prompt: string,
  flags: ProfileOptions,
  signal: AbortSignal,
): Promise<void> {
  const warmUp = Math.min(WARM_UP_TOKENS, flags.maxTokens);
  await model.generate(prompt, { maxTokens: warmUp, signal }).result;
  const result = await model.profile(prompt, { maxTokens: flags.maxTokens, signal });
  for (const message of result.warnings) warn(message);
  const { promptTokens, tokens } = result.generation;
  const detail = `${formatCount(promptTokens)} prompt tokens, ${formatCount(tokens.length)} generated, on ${tetrad.adapterName}`;
  await writeReports(result, flags, model.info.name, detail);
  if (result.timestamps) process.stdout.write(`${profileBars(result.runs)}\n`);
  process.stderr.write(`${model.info.name}: ${detail}\n`);
}

const tetradOptions = ({ requireGpu, software }: ProfileOptions): TetradOptions => ({
  ...(requireGpu === undefined ? {} : { requireGpu }),
  ...(software === undefined ? {} : { forceSoftware: software }),
  onWarning: warn,
});

const loadOptions = ({ context, tokenizer, tune }: ProfileOptions): LoadOptions => ({
  ...(tune ? {} : { tune }),
  ...(context === undefined ? {} : { contextLength: context }),
  ...(tokenizer === undefined ? {} : { tokenizer }),
});

async function profileCommand(
  words: readonly string[],
  flags: ProfileOptions,
  embeddedModel: string,
): Promise<number> {
  const target = parseTarget(words);
  const prompt = target.prompt ?? (await readStandardInput());
  const interruption = new Interruption();
  const { signal } = interruption;
  const bar = new ProgressBar(process.stderr);
  // Told as soon as possible: a wrong path before a GPU is looked for.
  const source = await openSource(target.model ?? pathToFileURL(embeddedModel), signal);
  let tetrad: Tetrad | undefined;
  try {
    tetrad = await createTetrad(tetradOptions(flags));
    const model = await tetrad.load(source, {
      ...loadOptions(flags),
      onProgress: bar.update,
      signal,
    });
    bar.clear();
    await profile(tetrad, model, prompt, flags, signal);
    return 0;
  } catch (error) {
    bar.clear();
    if (!signal.aborted) throw error;
    return INTERRUPTED;
  } finally {
    // The models on it as well.
    await tetrad?.dispose();
    await source.close();
    interruption.dispose();
  }
}
