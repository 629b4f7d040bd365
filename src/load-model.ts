import type { LoadOptions, LoadProgress, ModelInfo } from "./api.ts";
import type { ByteSource } from "./byte-source.ts";
import { FormatError, RequestError } from "./errors.ts";
import { planDecoder } from "./generate/decoder-plans.ts";
import { DecoderSession } from "./generate/decoder-session.ts";
import { promptChunk } from "./prompt-chunk.ts";
import type { GpuDevice } from "./gpu/device.ts";
import type { DecoderGraph } from "./graph/decoder-graph.ts";
import { Model } from "./model.ts";
import { openModel } from "./open-model.ts";
import type { OpenedModel } from "./open-model.ts";
import type { DeviceTuningOptions } from "./tune/device-tuning.ts";
import { planTuned } from "./tuned-plans.ts";
import type { TunedPlans, TuningPlace } from "./tuned-plans.ts";

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

/** Measures a model's calls on the device anew, without loading its weights. */
export async function tuneModel(
  gpu: GpuDevice,
  source: ByteSource,
  tokenizerSource: ByteSource | undefined,
  options: LoadOptions,
  tuning: DeviceTuningOptions,
): Promise<TunedPlans> {
  const { decoder } = await openDecoder(gpu, source, tokenizerSource, options);
  return planTuned(gpu, decoder, { ...tuning, again: true });
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
