import process from "node:process";
import { pathToFileURL } from "node:url";
import type {
  ChatMessage,
  GenerateOptions,
  Generation,
  GenerationResult,
  LoadOptions,
  TetradOptions,
} from "../api.ts";
import type { ByteSource } from "../byte-source.ts";
import type { Model, Tetrad } from "../node.ts";
import { openSource } from "../platform/node/open-source.ts";
import { createTetrad } from "./create-tetrad.ts";
import { Interruption, INTERRUPTED } from "./interruption.ts";
import { ProgressBar } from "./progress-bar.ts";
import { given } from "./option-values.ts";
import { parseTarget, readStandardInput } from "./prompt.ts";
import { formatDuration } from "./quantities.ts";
import { samplingOf } from "./sampling-flags.ts";
import type { SamplingFlags } from "./sampling-flags.ts";
import { warn } from "./warn.ts";

/** The flags of `tetrad run`, as Commander names them. */
export interface RunOptions extends SamplingFlags {
  readonly chat?: boolean;
  readonly system?: string;
  readonly maxTokens?: number;
  readonly stop?: readonly string[];
  readonly context?: number;
  readonly cacheType?: "f16" | "f32";
  readonly tokenizer?: string;
  readonly requireGpu?: boolean;
  readonly software?: boolean;
  /** False with `--no-tune`. */
  readonly tune: boolean;
  readonly precision?: "exact" | "fast";
  readonly json?: boolean;
}

const generateOptions = (flags: RunOptions, signal: AbortSignal): GenerateOptions =>
  given<GenerateOptions>({
    ...samplingOf(flags),
    maxTokens: flags.maxTokens,
    stop: flags.stop,
    signal,
  });

const loadOptions = (flags: RunOptions, signal: AbortSignal, bar: ProgressBar): LoadOptions =>
  given<LoadOptions>({
    contextLength: flags.context,
    cacheType: flags.cacheType,
    tokenizer: flags.tokenizer,
    tune: flags.tune ? undefined : false,
    precision: flags.precision,
    onProgress: bar.update,
    signal,
  });

/** Prints each warning once, on a line of its own. */
function warner(bar: ProgressBar): (message: string) => void {
  const printed = new Set<string>();
  return (message) => {
    if (printed.has(message)) return;
    printed.add(message);
    bar.clear();
    warn(message);
  };
}

function start(model: Model, prompt: string, flags: RunOptions, signal: AbortSignal): Generation {
  const options = generateOptions(flags, signal);
  if (flags.chat !== true && flags.system === undefined) return model.generate(prompt, options);
  const messages: ChatMessage[] = [{ role: "user", content: prompt }];
  if (flags.system !== undefined) messages.unshift({ role: "system", content: flags.system });
  return model.chat(messages, options);
}

/** Writes the pieces as they come; waits where the reader of a pipe is slower than the GPU. */
async function stream(generation: Generation, silent: boolean): Promise<GenerationResult> {
  let last = "";
  try {
    for await (const { text } of generation) {
      if (silent || text === "") continue;
      last = text;
      if (!process.stdout.write(text)) await drained();
    }
  } finally {
    if (!silent && last !== "" && !last.endsWith("\n")) process.stdout.write("\n");
  }
  return generation.result;
}

async function drained(): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = () => {
      process.stdout.off("drain", done).off("error", done).off("close", done);
      resolve();
    };
    process.stdout.on("drain", done).on("error", done).on("close", done);
  });
}

function closingLine(result: GenerationResult, adapterName: string): string {
  const { tokens, tokensPerSecond, timeToFirstTokenMs, stopReason } = result;
  const speed = tokensPerSecond === 0 ? "" : `, ${tokensPerSecond.toPrecision(3)} tokens/s`;
  const count = `${tokens.length} token${tokens.length === 1 ? "" : "s"}`;
  return (
    `${count}${speed}, first after ${formatDuration(timeToFirstTokenMs)}, ` +
    `ended by ${stopReason}, on ${adapterName}\n`
  );
}

async function generate(
  tetrad: Tetrad,
  model: Model,
  prompt: string,
  flags: RunOptions,
  signal: AbortSignal,
): Promise<void> {
  const result = await stream(start(model, prompt, flags, signal), flags.json === true);
  if (flags.json === true) {
    const report = { model: model.info, adapter: tetrad.adapterName, ...result };
    process.stdout.write(`${JSON.stringify(report)}\n`);
  } else {
    process.stderr.write(closingLine(result, tetrad.adapterName));
  }
}

/** `tetrad run [MODEL] PROMPT`. Returns the exit code. */
export async function runCommand(
  words: readonly string[],
  flags: RunOptions,
  embeddedModel: string,
): Promise<number> {
  const target = parseTarget(words);
  const prompt = target.prompt ?? (await readStandardInput());
  const interruption = new Interruption();
  const { signal } = interruption;
  let readerGone = false;
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    readerGone ||= error.code === "EPIPE";
    interruption.abort();
  });
  const bar = new ProgressBar(process.stderr);
  const warnOnce = warner(bar);
  let source: ByteSource | undefined;
  let tetrad: Tetrad | undefined;
  let model: Model | undefined;
  try {
    // First of all, so that a wrong path is told at once.
    source = await openSource(target.model ?? pathToFileURL(embeddedModel), signal);
    tetrad = await createTetrad(
      given<TetradOptions>({
        requireGpu: flags.requireGpu,
        forceSoftware: flags.software,
        onWarning: warnOnce,
      }),
    );
    model = await tetrad.load(source, loadOptions(flags, signal, bar));
    bar.clear();
    await generate(tetrad, model, prompt, flags, signal);
    return signal.aborted ? INTERRUPTED : 0;
  } catch (error) {
    bar.clear();
    if (!signal.aborted) throw error;
    return readerGone ? 0 : INTERRUPTED;
  } finally {
    await model?.dispose();
    await tetrad?.dispose();
    await source?.close();
    interruption.dispose();
  }
}
