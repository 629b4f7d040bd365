import type { LoadOptions, LoadProgress, ModelInfo } from "./api.ts";
import type { ByteSource } from "./byte-source.ts";
import { FormatError, RequestError } from "./errors.ts";
import { DecoderSession } from "./generate/decoder-session.ts";
import type { GpuDevice } from "./gpu/device.ts";
import { Model } from "./model.ts";
import { openModel } from "./open-model.ts";

/** Positions a cache holds unless the caller says otherwise: memory grows with it. */
const DEFAULT_CONTEXT_LENGTH = 4096;

/**
 * Tokens of one prompt chunk: enough rows to keep a GPU's multiply units busy, and small enough
 * that intermediate results stay far below the weights.
 */
export const PROMPT_CHUNK = 512;

function resolveContextLength(requested: number | undefined, longest: number): number {
  if (requested === undefined) return Math.min(longest, DEFAULT_CONTEXT_LENGTH);
  if (!Number.isInteger(requested) || requested < 1 || requested > longest) {
    throw new RequestError(
      `load: contextLength is ${requested}; this model allows an integer from 1 to ${longest}`,
    );
  }
  return requested;
}

/** Reads a model of whichever format `source` holds and puts it on the GPU. */
export async function loadModel(
  gpu: GpuDevice,
  source: ByteSource,
  tokenizerSource: ByteSource | undefined,
  options: LoadOptions,
  onDispose: (model: Model) => void,
): Promise<Model> {
  const { signal, cacheType = "f16" } = options;
  let last = { loaded: 0, total: 0 };
  const report = (status: LoadProgress["status"], progress = last) => {
    last = progress;
    options.onProgress?.({ status, file: source.name, ...progress });
  };
  report("open");
  const opened = await openModel(source, tokenizerSource, signal);
  const { tokenizer } = opened;
  const contextLength = resolveContextLength(options.contextLength, opened.contextLength);
  const decoder = await opened.build({
    contextLength,
    maxSequenceLength: Math.min(PROMPT_CHUNK, contextLength),
    cacheType,
  });
  if (tokenizer.vocabularySize > decoder.vocabularySize) {
    throw new FormatError(
      `${source.name}: the tokenizer has ${tokenizer.vocabularySize} tokens, ` +
        `the embedding ${decoder.vocabularySize}`,
    );
  }
  const session = await DecoderSession.load(
    gpu,
    decoder,
    (loaded, total) => report("weights", { loaded, total }),
    () => report("compile"),
    signal,
  );
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
  return new Model(info, opened.warnings, tokenizer, session, onDispose);
}
