import { Command, CommanderError, Option } from "commander";
import { addBench } from "./bench-command.ts";
import { devicesCommand } from "./devices-command.ts";
import { exitCodeOf, reportError } from "./failure.ts";
import { inspectCommand } from "./inspect-command.ts";
import { numberOption, precisionOption, repeatable } from "./option-values.ts";
import { addProfile } from "./profile-command.ts";
import { runCommand } from "./run-command.ts";
import type { RunOptions } from "./run-command.ts";
import { addSamplingFlags } from "./sampling-flags.ts";
import { addTune } from "./tune-command.ts";

/** What the package around the program knows. */
export interface CliContext {
  /** Path of the model that serves where none is named. */
  readonly embeddedModel: string;
  readonly version: string;
}

const DEBUG = "--debug";

/** Runs the command line and returns the exit code: 0, 1 (no GPU, a bug), 2 (wrong input), 130. */
export async function runCli(argv: readonly string[], context: CliContext): Promise<number> {
  let exitCode = 0;
  const program = createProgram(context, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(argv);
    return exitCode;
  } catch (error) {
    // Help and version arrive here too; Commander has printed what there is to say.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    reportError(error, argv.includes(DEBUG));
    return exitCodeOf(error);
  }
}

function createProgram(context: CliContext, setExitCode: (code: number) => void): Command {
  const program = new Command("tetrad")
    .description("4-bit language models on WebGPU.")
    .version(context.version)
    .exitOverride()
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /, "tetrad: ")),
    });
  addRun(program, async (words, options) =>
    setExitCode(await runCommand(words, options, context.embeddedModel)),
  );
  addProfile(program, context.embeddedModel, setExitCode);
  addTune(program, context.embeddedModel, setExitCode);
  addBench(program, context.version, setExitCode);
  program
    .command("inspect")
    .description("Show what a model file holds, without a GPU.")
    .argument("<file>", "path or URL of a .gguf or .pte file")
    .option("--context <tokens>", "context to compute the memory for", numberOption({ min: 1 }))
    .option(DEBUG, "show stack traces")
    .action((file: string, options: { context?: number }) => inspectCommand(file, options));
  program
    .command("devices")
    .description("List the GPUs, what they can do, and the kernels they would get.")
    .option(DEBUG, "show stack traces")
    .action(() => devicesCommand());
  return program;
}

function addRun(
  program: Command,
  action: (words: string[], options: RunOptions) => Promise<void>,
): void {
  const whole = (min: number) => numberOption({ min, integer: true });
  const run = program
    .command("run")
    .description("Generate text. With one argument that is the prompt, for the model inside.")
    .argument(
      "[model-and-prompt...]",
      "[MODEL] PROMPT: path or URL of a model; the prompt, or - to read it from standard input",
    )
    .usage("[options] [MODEL] PROMPT")
    .option("--chat", "send the prompt as a chat message, with the model's template")
    .option("--system <text>", "the system message; implies --chat")
    .option("-n, --max-tokens <count>", "stop after this many tokens", whole(1));
  addSamplingFlags(run)
    .option("--stop <text>", "end before this text (repeatable)", repeatable)
    .option("--context <tokens>", "positions the KV cache holds", whole(1))
    .addOption(new Option("--cache-type <type>", "KV cache elements").choices(["f16", "f32"]))
    .option("--tokenizer <file>", "a tokenizer.json, for models that carry none")
    .option("--require-gpu", "fail where there is no GPU")
    .addOption(new Option("--software", "compute on the CPU (SwiftShader)").conflicts("requireGpu"))
    .addOption(precisionOption())
    .option("--no-tune", "the default kernels, whatever was measured on this device")
    .option("--json", "print one JSON object at the end instead of text")
    .option(DEBUG, "show stack traces")
    .action(action);
}
