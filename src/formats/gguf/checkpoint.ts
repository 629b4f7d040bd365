import type { ByteSource } from "../../byte-source.ts";
import type { Checkpoint, Hyperparameters, RopeLayout, RopeScaling } from "../../checkpoint.ts";
import { FormatError, UnsupportedError } from "../../errors.ts";
import type { GgufFile, GgufTensorInfo } from "./read.ts";
import { GgufTensor } from "./tensor-rows.ts";

/**
 * Architectures by `general.architecture`, with the pairing of rotated elements their weights were
 * stored for: llama's q and k rows were permuted at conversion to interleave the pairs.
 */
const ROPE_LAYOUTS: Readonly<Record<string, RopeLayout>> = {
  llama: "interleaved",
  qwen2: "half",
  qwen3: "half",
};

/** Divisors of the rotary frequencies, where a model brings them as a tensor. */
const ROPE_FACTORS = "rope_freqs.weight";

/** No model is near these; they keep hostile numbers from being built upon. */
const MAX_LAYERS = 2 ** 12;
const MAX_SIZE = 2 ** 24;
const MAX_CONTEXT_LENGTH = 2 ** 28;

/** Typed access to `{architecture}.…` metadata. */
class Metadata {
  readonly #file: GgufFile;
  readonly #prefix: string;
  readonly #source: string;

  constructor(file: GgufFile, prefix: string, source: string) {
    this.#file = file;
    this.#prefix = prefix;
    this.#source = source;
  }

  #error(key: string, value: unknown, wanted: string): FormatError {
    const found = value === undefined ? "missing" : String(value);
    return new FormatError(
      `gguf: ${this.#source}: metadata "${this.#prefix}.${key}" is ${found}; must be ${wanted}`,
    );
  }

  get(key: string): unknown {
    return this.#file.metadata.get(`${this.#prefix}.${key}`);
  }

  /** An integer from 1 to `most`. */
  size(key: string, most: number, fallback?: number): number {
    const value = this.get(key) ?? fallback;
    if (typeof value !== "number" || !Number.isInteger(value) || value < 1 || value > most) {
      throw this.#error(key, value, `an integer from 1 to ${most}`);
    }
    return value;
  }

  /** A positive finite number. */
  positive(key: string, fallback?: number): number {
    const value = this.get(key) ?? fallback;
    if (typeof value !== "number" || !Number.isFinite(value) || value <= 0) {
      throw this.#error(key, value, "a number above 0");
    }
    return value;
  }
}

function readScaling(file: GgufFile, metadata: Metadata, source: string): RopeScaling | undefined {
  if (file.tensors.some(({ name }) => name === ROPE_FACTORS)) {
    return { type: "factors", tensor: ROPE_FACTORS };
  }
  const type = metadata.get("rope.scaling.type");
  if (type === undefined || type === "none") return undefined;
  if (type === "linear") return { type, factor: metadata.positive("rope.scaling.factor") };
  throw new UnsupportedError(
    `gguf: ${source}: rope scaling "${String(type)}" is not supported; supported: linear, ${ROPE_FACTORS}`,
  );
}

function embeddingOf(file: GgufFile, source: string): GgufTensorInfo {
  const embedding = file.tensors.find(({ name }) => name === "token_embd.weight");
  if (embedding === undefined || embedding.dims.length !== 2) {
    throw new FormatError(`gguf: ${source}: tensor "token_embd.weight" is missing or no matrix`);
  }
  return embedding;
}

function readHyperparameters(
  file: GgufFile,
  architecture: string,
  ropeLayout: RopeLayout,
  source: string,
): Hyperparameters {
  const metadata = new Metadata(file, architecture, source);
  const hiddenSize = metadata.size("embedding_length", MAX_SIZE);
  const heads = metadata.size("attention.head_count", MAX_SIZE);
  const kvHeads = metadata.size("attention.head_count_kv", MAX_SIZE, heads);
  const headSize = metadata.size("attention.key_length", MAX_SIZE, hiddenSize / heads);
  const valueSize = metadata.size("attention.value_length", MAX_SIZE, headSize);
  const ropeSize = metadata.size("rope.dimension_count", MAX_SIZE, headSize);
  if (heads % kvHeads !== 0) {
    throw new FormatError(`gguf: ${source}: ${heads} query heads for ${kvHeads} key/value heads`);
  }
  if (valueSize !== headSize) {
    throw new UnsupportedError(
      `gguf: ${source}: keys have ${headSize} elements a head and values ${valueSize}; both must be alike`,
    );
  }
  if (ropeSize > headSize || ropeSize % 2 !== 0) {
    throw new FormatError(`gguf: ${source}: ${ropeSize} rotated elements of a head of ${headSize}`);
  }
  if (typeof metadata.get("expert_count") === "number" && metadata.get("expert_count") !== 0) {
    throw new UnsupportedError(`gguf: ${source}: mixtures of experts are not supported`);
  }
  return {
    layers: metadata.size("block_count", MAX_LAYERS),
    hiddenSize,
    heads,
    kvHeads,
    headSize,
    feedForwardSize: metadata.size("feed_forward_length", MAX_SIZE),
    vocabularySize: embeddingOf(file, source).dims[0] ?? 0,
    contextLength: metadata.size("context_length", MAX_CONTEXT_LENGTH),
    normEpsilon: metadata.positive("attention.layer_norm_rms_epsilon"),
    ropeTheta: metadata.positive("rope.freq_base", 10_000),
    ropeLayout,
    ropeScaling: readScaling(file, metadata, source),
    ropeSize,
  };
}

/**
 * The checkpoint in a GGUF file; tensors are read from `source` when they are needed. Throws
 * `UnsupportedError` for other architectures and `FormatError` for hyperparameters that make no
 * sense. That the tensors fit them is checked when the model is built.
 */
export function ggufCheckpoint(file: GgufFile, source: ByteSource): Checkpoint {
  const architecture = file.metadata.get("general.architecture");
  if (typeof architecture !== "string") {
    throw new FormatError(`gguf: ${source.name}: metadata "general.architecture" is missing`);
  }
  const ropeLayout = Object.hasOwn(ROPE_LAYOUTS, architecture)
    ? ROPE_LAYOUTS[architecture]
    : undefined;
  if (ropeLayout === undefined) {
    throw new UnsupportedError(
      `gguf: ${source.name}: architecture "${architecture}" is not supported; ` +
        `supported: ${Object.keys(ROPE_LAYOUTS).join(", ")}`,
    );
  }
  return {
    architecture,
    hyperparameters: readHyperparameters(file, architecture, ropeLayout, source.name),
    tensors: new Map(file.tensors.map((info) => [info.name, new GgufTensor(info, source)])),
    source: source.name,
  };
}
