import type { LoadOptions, LoadProgress, ModelInfo } from "./api.ts";
import type { ByteSource } from "./byte-source.ts";
import { FormatError, RequestError } from "./errors.ts";
import { allPlans, planDecoder } from "./generate/decoder-plans.ts";
import type { DecoderPlans } from "./generate/decoder-plans.ts";
import { DecoderSession } from "./generate/decoder-session.ts";
import { promptChunk } from "./prompt-chunk.ts";
import type { GpuDevice } from "./gpu/device.ts";
import type { DecoderGraph } from "./graph/decoder-graph.ts";
import type { TunableCall } from "./graph/tuning.ts";
import { candidateNamed } from "./kernels/shared/tunable.ts";
import { Model } from "./model.ts";
import { openModel } from "./open-model.ts";
import type { OpenedModel } from "./open-model.ts";
import { storedTuning, tuneDevice } from "./tune/device-tuning.ts";
import type { DeviceTuning, DeviceTuningOptions } from "./tune/device-tuning.ts";

/** Positions a cache holds unless the caller says otherwise: memory grows with it. */
const DEFAULT_CONTEXT_LENGTH = 4096;

function resolveContextLength(requested: number | undefined, longest: number): number {
  if (requested === undefined) return Math.min(longest, DEFAULT_CONTEXT_LENGTH);
  if (!Number.isInteger(requested) || requested < 1 || requested > longest) {
    throw new RequestError(
      `load: contextLength is ${requested}; this model allows an integer from 1 to ${longest}`,
    );
  }
  return requested;
}

/** A model's metadata and graph. */
interface OpenedDecoder {
  readonly opened: OpenedModel;
  readonly decoder: DecoderGraph;
}

async function openDecoder(
  { capabilities }: GpuDevice,
  source: ByteSource,
  tokenizerSource: ByteSource | undefined,
  { signal, cacheType = "f16", ...options }: LoadOptions,
): Promise<OpenedDecoder> {
  const opened = await openModel(source, tokenizerSource, signal);
  const { tokenizer } = opened;
  const contextLength = resolveContextLength(options.contextLength, opened.contextLength);
  const decoder = await opened.build({
    contextLength,
    maxSequenceLength: Math.min(promptChunk(capabilities), contextLength),
    cacheType,
  });
  if (tokenizer.vocabularySize > decoder.vocabularySize) {
    throw new FormatError(
      `${source.name}: the tokenizer has ${tokenizer.vocabularySize} tokens, ` +
        `the embedding ${decoder.vocabularySize}`,
    );
  }
  return { opened, decoder };
}

/** Where choices among kernels are kept, and what else they depend on. */
export type TuningPlace = Pick<DeviceTuningOptions, "store" | "settings">;

/** The calls of a decoder's plans that a device may choose for. */
export const tunablesOf = (plans: DecoderPlans): readonly TunableCall[] =>
  allPlans(plans).flatMap(({ tunables }) => tunables);

/** Plans a decoder with what is known about the device, which is measured where it is not. */
export async function planTuned(
  gpu: GpuDevice,
  decoder: DecoderGraph,
  options: DeviceTuningOptions,
): Promise<{ readonly plans: DecoderPlans; readonly warnings: readonly string[] }> {
  const stored = await storedTuning(gpu, options);
  const plans = planDecoder(decoder, gpu.capabilities, stored);
  const tunables = tunablesOf(plans);
  const { tuning, warnings } = await tuneDevice(gpu, tunables, options);
  const differs = tunables.some(({ tunable }) => {
    const [planned, chosen] = [stored, tuning].map((names) => names.get(tunable.key));
    return candidateNamed(tunable, planned) !== candidateNamed(tunable, chosen);
  });
  return { plans: differs ? planDecoder(decoder, gpu.capabilities, tuning) : plans, warnings };
}

/** Measures a model's calls on the device anew, without loading its weights. */
export async function tuneModel(
  gpu: GpuDevice,
  source: ByteSource,
  tokenizerSource: ByteSource | undefined,
  options: LoadOptions,
  tuning: DeviceTuningOptions,
): Promise<DeviceTuning> {
  const { decoder } = await openDecoder(gpu, source, tokenizerSource, options);
  const plans = planDecoder(decoder, gpu.capabilities);
  return tuneDevice(gpu, tunablesOf(plans), { ...tuning, again: true });
}

/** Reads a model of whichever format `source` holds and puts it on the GPU. */
export async function loadModel(
  gpu: GpuDevice,
  source: ByteSource,
  tokenizerSource: ByteSource | undefined,
  options: LoadOptions,
  onDispose: (model: Model) => void,
  place: TuningPlace = {},
): Promise<Model> {
  const { signal, tune = !gpu.capabilities.software, precision } = options;
  let last = { loaded: 0, total: 0 };
  const report = (status: LoadProgress["status"], progress = last) => {
    last = progress;
    options.onProgress?.({ status, file: source.name, ...progress });
  };
  report("open");
  const { opened, decoder } = await openDecoder(gpu, source, tokenizerSource, options);
  const { plans, warnings } = tune
    ? await planTuned(gpu, decoder, { ...place, precision, signal, onCall: () => report("tune") })
    : { plans: planDecoder(decoder, gpu.capabilities), warnings: [] };
  const session = await DecoderSession.load(gpu, decoder, {
    plans,
    onWeights: (loaded, total) => report("weights", { loaded, total }),
    onCompile: () => report("compile"),
    signal,
  });
  report("ready");
  const { weightBytes, workingBytes } = session.memory;
  const info: ModelInfo = {
    name: opened.name,
    architecture: opened.architecture,
    contextLength: decoder.contextLength,
    vocabularySize: decoder.vocabularySize,
    parameters: opened.parameters,
    weightBytes,
    cacheBytes: workingBytes,
  };
  return new Model(info, [...opened.warnings, ...warnings], opened.tokenizer, session, onDispose);
}
