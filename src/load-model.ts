import type { LoadOptions, LoadProgress, ModelInfo } from "./api.ts";
import type { ByteSource } from "./byte-source.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { FormatError, RequestError } from "./errors.ts";
import { ggufCheckpoint } from "./formats/gguf/checkpoint.ts";
import { readGguf } from "./formats/gguf/read.ts";
import { describeRequantized } from "./formats/gguf/weights-report.ts";
import { DecoderSession } from "./generate/decoder-session.ts";
import type { GpuDevice } from "./gpu/device.ts";
import { elementCount } from "./graph/ir.ts";
import { maxOf } from "./graph/symint.ts";
import { Model } from "./model.ts";
import { buildModel } from "./models/index.ts";
import { tokenizerFromGguf } from "./text/gguf-tokenizer.ts";
import { tokenizerFromJson } from "./text/json-tokenizer.ts";
import type { Tokenizer } from "./text/tokenizer.ts";

/** Positions a cache holds unless the caller says otherwise: memory grows with it. */
const DEFAULT_CONTEXT_LENGTH = 4096;

/**
 * Tokens of one prompt chunk: enough rows to keep a GPU's multiply units busy, and small enough
 * that intermediate results stay far below the weights.
 */
const PROMPT_CHUNK = 512;

/** What every format yields before anything touches the GPU. */
interface OpenedModel {
  readonly name: string;
  readonly checkpoint: Checkpoint;
  readonly tokenizer: Tokenizer;
  readonly warnings: readonly string[];
}

async function openGguf(
  source: ByteSource,
  tokenizerSource: ByteSource | undefined,
  signal: AbortSignal | undefined,
): Promise<OpenedModel> {
  const file = await readGguf(source, signal);
  const checkpoint = ggufCheckpoint(file, source);
  const name = file.metadata.get("general.name");
  const requantized = describeRequantized(file);
  return {
    name: typeof name === "string" && name !== "" ? name : source.name,
    checkpoint,
    tokenizer:
      tokenizerSource === undefined
        ? tokenizerFromGguf(file.metadata)
        : await readTokenizer(tokenizerSource, signal),
    warnings: requantized === undefined ? [] : [requantized],
  };
}

/** The largest `tokenizer.json` in use is 35 MB. */
const MAX_TOKENIZER_BYTES = 2 ** 28;

async function readTokenizer(
  source: ByteSource,
  signal: AbortSignal | undefined,
): Promise<Tokenizer> {
  if (source.byteLength > MAX_TOKENIZER_BYTES) {
    throw new FormatError(
      `${source.name}: ${source.byteLength} bytes are too many for a tokenizer`,
    );
  }
  const text = new TextDecoder().decode(await source.read(0, source.byteLength, signal));
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new FormatError(`${source.name}: not a tokenizer.json: ${String(cause)}`, { cause });
  }
  return tokenizerFromJson(json);
}

function resolveContextLength(requested: number | undefined, checkpoint: Checkpoint): number {
  const { contextLength: trained } = checkpoint.hyperparameters;
  if (requested === undefined) return Math.min(trained, DEFAULT_CONTEXT_LENGTH);
  if (!Number.isInteger(requested) || requested < 1 || requested > trained) {
    throw new RequestError(
      `load: contextLength is ${requested}; this model allows an integer from 1 to ${trained}`,
    );
  }
  return requested;
}

function countParameters(checkpoint: Checkpoint): number {
  let count = 0;
  for (const { dims } of checkpoint.tensors.values()) count += maxOf(elementCount(dims));
  return count;
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
  const { name, checkpoint, tokenizer, warnings } = await openGguf(source, tokenizerSource, signal);
  const contextLength = resolveContextLength(options.contextLength, checkpoint);
  const decoder = await buildModel(checkpoint, {
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
    name,
    architecture: checkpoint.architecture,
    contextLength,
    vocabularySize: decoder.vocabularySize,
    parameters: countParameters(checkpoint),
    weightBytes,
    cacheBytes: workingBytes,
  };
  return new Model(info, warnings, tokenizer, session, onDispose);
}
