import type { Hyperparameters, RopeScaling } from "../../checkpoint.ts";
import { FormatError, UnsupportedError } from "../../errors.ts";
import { ArchitectureMetadata, describeValue } from "./architecture-metadata.ts";
import type { GgufArchitecture } from "./architectures.ts";
import type { GgufFile } from "./read.ts";

/** Divisors of the rotary frequencies, where a model brings them as a tensor. */
const ROPE_FACTORS = "rope_freqs.weight";

/** No model is near these; they keep hostile numbers from being built upon. */
const MAX_LAYERS = 2 ** 12;
const MAX_SIZE = 2 ** 24;
const MAX_CONTEXT_LENGTH = 2 ** 28;

function readRopeScaling(
  file: GgufFile,
  metadata: ArchitectureMetadata,
  source: string,
): RopeScaling | undefined {
  const type = metadata.get("rope.scaling.type") ?? "none";
  const hasFactors = file.tensors.some(({ name }) => name === ROPE_FACTORS);
  if (type === "none" && hasFactors) return { type: "factors", tensor: ROPE_FACTORS };
  // Files from before `rope.scaling.type` say so with this key alone.
  const legacyFactor = metadata.get("rope.scale_linear");
  if (type === "none" && legacyFactor !== undefined) {
    const factor = metadata.positive("rope.scale_linear");
    return factor === 1 ? undefined : { type: "linear", factor };
  }
  if (type === "none") return undefined;
  if (type === "linear" && !hasFactors) {
    return { type, factor: metadata.positive("rope.scaling.factor") };
  }
  throw new UnsupportedError(
    `gguf: ${source}: rope scaling ${describeValue(type)}${hasFactors ? ` with ${ROPE_FACTORS}` : ""} ` +
      `is not supported; supported: "linear" or the tensor ${ROPE_FACTORS}`,
  );
}

function readHeads(metadata: ArchitectureMetadata, hiddenSize: number, source: string) {
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
      `gguf: ${source}: keys have ${headSize} elements a head and values ${valueSize}; ` +
        `supported: as many of both`,
    );
  }
  if (ropeSize > headSize || ropeSize % 2 !== 0) {
    throw new FormatError(`gguf: ${source}: ${ropeSize} rotated elements of a head of ${headSize}`);
  }
  return { heads, kvHeads, headSize, ropeSize };
}

function readVocabularySize(file: GgufFile, source: string): number {
  const embedding = file.tensors.find(({ name }) => name === "token_embd.weight");
  if (embedding === undefined || embedding.dims.length !== 2) {
    throw new FormatError(`gguf: ${source}: tensor "token_embd.weight" is missing or no matrix`);
  }
  return embedding.dims[0] ?? 0;
}

/**
 * The numbers a model is built from. Throws `FormatError` where they make no sense by themselves;
 * whether tensors fit them is checked when the model is built.
 */
export function readHyperparameters(
  file: GgufFile,
  name: string,
  architecture: GgufArchitecture,
  source: string,
): Hyperparameters {
  const metadata = new ArchitectureMetadata(file, name, source);
  const experts = metadata.get("expert_count") ?? 0;
  if (experts !== 0) {
    throw new UnsupportedError(`gguf: ${source}: mixtures of experts are not supported`);
  }
  const hiddenSize = metadata.size("embedding_length", MAX_SIZE);
  return {
    layers: metadata.size("block_count", MAX_LAYERS),
    hiddenSize,
    ...readHeads(metadata, hiddenSize, source),
    feedForwardSize: metadata.size("feed_forward_length", MAX_SIZE),
    vocabularySize: readVocabularySize(file, source),
    contextLength: metadata.size("context_length", MAX_CONTEXT_LENGTH),
    normEpsilon: metadata.positive("attention.layer_norm_rms_epsilon"),
    ropeTheta: metadata.positive("rope.freq_base", 10_000),
    ropeLayout: architecture.ropeLayout,
    ropeScaling: readRopeScaling(file, metadata, source),
  };
}
