import { writeFile } from "node:fs/promises";
import process from "node:process";
import { Option } from "commander";
import type { Command } from "commander";
import { runBench } from "../bench/bench.ts";
import type { BenchSubject } from "../bench/options.ts";
import { benchSvg } from "../bench/chart-svg.ts";
import { randomCheckpoint } from "../bench/random-checkpoint.ts";
import { modelShape, SHAPE_NAMES, weightShapes } from "../bench/shapes.ts";
import { RequestError } from "../errors.ts";
import { GpuDevice } from "../gpu/device.ts";
import { buildModel } from "../models/index.ts";
import { openModel } from "../open-model.ts";
import { findGpu } from "../platform/node/gpu.ts";
import { pollPatiently } from "../platform/node/patient-polling.ts";
import { openSource } from "../platform/node/open-source.ts";
import { benchTables } from "./bench-tables.ts";
import { Interruption, INTERRUPTED } from "./interruption.ts";
import { listOption, numberOption } from "./option-values.ts";
import { addSamplingFlags, samplingOf } from "./sampling-flags.ts";
import type { SamplingFlags } from "./sampling-flags.ts";
import { warn } from "./warn.ts";

/** The flags of `tetrad bench`, as Commander names them. */
interface BenchFlags extends SamplingFlags {
  readonly shape?: string;
  readonly prompts?: readonly number[];
  readonly contexts?: readonly number[];
  readonly tokens: number;
  readonly runs: number;
  readonly warmUps: number;
  readonly coldRuns: number;
  readonly kernels: boolean;
  readonly tune: boolean;
  readonly check: number;
  readonly cacheType: "f16" | "f32";
  readonly tokenizer?: string;
  readonly json?: string;
  readonly svg?: string;
  readonly requireGpu?: boolean;
  readonly software?: boolean;
  readonly dawnFeatures?: string;
}

const DEFAULT_SIZES = [128, 512, 2048, 8192] as const;
const DEFAULT_TOKENS = 128;
const DEFAULT_RUNS = 5;
const DEFAULT_WARM_UPS = 2;
const DEFAULT_CHECK = 512;
/** Runs must repeat. */
const DEFAULT_SEED = 1;
/** A check failed, or the machine did. */
const FAILED = 1;

/** Adds `tetrad bench`; the exit code goes to `setExitCode`. */
export function addBench(
  program: Command,
  version: string,
  setExitCode: (code: number) => void,
): void {
  const whole = (min: number) => numberOption({ min, integer: true });
  const sizes = listOption(whole(1));
  const bench = program
    .command("bench")
    .description("Measure the device, then a model on it: prompts, decoding, every kernel.")
    .argument("[model]", "path of a .gguf or .pte file")
    .addOption(new Option("--shape <name>", "random weights instead").choices(SHAPE_NAMES))
    .option("--prompts <lengths>", "prompt lengths (default: 128,512,2048,8192)", sizes)
    .option("--contexts <lengths>", "contexts to decode at (default: the same)", sizes)
    .option("-n, --tokens <count>", "tokens to decode at each", whole(2), DEFAULT_TOKENS);
  addSamplingFlags(bench)
    .option("--runs <count>", "repeats that count", whole(1), DEFAULT_RUNS)
    .option("--warm-ups <count>", "requests before them", whole(0), DEFAULT_WARM_UPS)
    .option("--cold-runs <count>", "loads on a new device", whole(1), 1)
    .option("--no-kernels", "leave out the times of single kernels")
    .option("--no-tune", "run the default kernels, without choosing on the device")
    .option("--check <tokens>", "compare with plain f32 up to here", whole(0), DEFAULT_CHECK)
    .addOption(
      new Option("--cache-type <type>", "KV cache elements").choices(["f16", "f32"]).default("f16"),
    )
    .option("--tokenizer <file>", "a tokenizer.json, for models that carry none")
    .option("--json <file>", "write everything that was measured")
    .option("--svg <file>", "write a picture: speed, and the kernels on a roofline")
    .option("--require-gpu", "fail where there is no GPU")
    .addOption(new Option("--software", "compute on the CPU (SwiftShader)").conflicts("requireGpu"))
    .option("--dawn-features <names>", "Dawn toggles, such as disable_robustness")
    .option("--debug", "show stack traces")
    .action(async (model: string | undefined, flags: BenchFlags) =>
      setExitCode(await benchCommand(model, flags, version)),
    );
}

function shapeSubject(name: string): BenchSubject {
  const shape = modelShape(name);
  const checkpoint = randomCheckpoint(shape);
  const parameters = weightShapes(shape).reduce(
    (sum, { rows, columns = 1 }) => sum + rows * columns,
    0,
  );
  return {
    name,
    architecture: shape.architecture,
    parameters,
    randomWeights: true,
    contextLength: shape.hyperparameters.contextLength,
    build: (options) => buildModel(checkpoint, options),
  };
}

/** How to read the model's metadata anew, and what to do in the end. */
async function subjectOf(
  model: string | undefined,
  { shape, tokenizer }: BenchFlags,
  signal: AbortSignal,
): Promise<{ readonly open: () => Promise<BenchSubject>; readonly close: () => Promise<void> }> {
  if ((model === undefined) === (shape === undefined)) {
    throw new RequestError("bench: name a model file or a --shape, one of them");
  }
  if (model === undefined) {
    return {
      open: () => Promise.resolve(shapeSubject(shape ?? "")),
      close: () => Promise.resolve(),
    };
  }
  const source = await openSource(model, signal);
  const tokenizerSource = tokenizer === undefined ? undefined : await openSource(tokenizer, signal);
  return {
    open: async () => {
      const opened = await openModel(source, tokenizerSource, signal);
      return { ...opened, randomWeights: false };
    },
    close: async () => {
      await source.close();
      await tokenizerSource?.close();
    },
  };
}

/** The default sizes that a model's context has room for. */
function fitting(most: number): readonly number[] {
  const sizes = DEFAULT_SIZES.filter((size) => size <= most);
  return sizes.length > 0 ? sizes : [Math.max(1, most)];
}

async function benchCommand(
  model: string | undefined,
  flags: BenchFlags,
  version: string,
): Promise<number> {
  const interruption = new Interruption();
  const { signal } = interruption;
  const subject = await subjectOf(model, flags, signal);
  const dawnFeatures = flags.dawnFeatures?.split(",") ?? [];
  const { tokens, runs, warmUps, coldRuns, kernels, cacheType } = flags;
  // Once is enough.
  let onFallback: ((message: string) => void) | undefined = warn;
  try {
    const { contextLength } = await subject.open();
    const report = await runBench(
      {
        prompts: flags.prompts ?? fitting(contextLength - 1),
        contexts: flags.contexts ?? fitting(contextLength - tokens),
        tokens,
        runs,
        warmUps,
        coldRuns,
        kernels,
        // Otherwise as a load does.
        ...(flags.tune ? {} : { tune: false }),
        sampling: { ...samplingOf(flags), seed: flags.seed ?? DEFAULT_SEED },
        checkUpTo: flags.check,
        cacheType,
      },
      {
        openSubject: subject.open,
        openDevice: async () => {
          const { gpu, adapter } = await findGpu({
            requireGpu: flags.requireGpu ?? false,
            forceSoftware: flags.software ?? false,
            dawnFeatures,
            ...(onFallback === undefined ? {} : { onFallback }),
          });
          onFallback = undefined;
          const device = await GpuDevice.fromAdapter(adapter, gpu.wgslLanguageFeatures);
          if (device.capabilities.software) pollPatiently();
          return device;
        },
        versions: { tetrad: version, ...process.versions },
        dawnFeatures,
        residentBytes: () => process.memoryUsage.rss(),
        onProgress: (message) => process.stderr.write(`tetrad: ${message}\n`),
        onWarning: warn,
        signal,
      },
    );
    if (flags.json !== undefined) {
      await writeFile(flags.json, `${JSON.stringify(report, null, 1)}\n`);
    }
    if (flags.svg !== undefined) await writeFile(flags.svg, benchSvg(report));
    process.stdout.write(benchTables(report));
    return report.checks.every(({ passed }) => passed) ? 0 : FAILED;
  } catch (error) {
    if (!signal.aborted) throw error;
    return INTERRUPTED;
  } finally {
    await subject.close();
    interruption.dispose();
  }
}
