/** Shapes of published models: what speed depends on, without anybody's weights. */
import type { Hyperparameters } from "../checkpoint.ts";
import { RequestError } from "../errors.ts";

export interface ModelShape {
  readonly name: string;
  readonly architecture: "llama" | "qwen3";
  readonly hyperparameters: Hyperparameters;
  /** Whether the embedding is the output projection too. */
  readonly tied: boolean;
}

type Sizes = Pick<
  Hyperparameters,
  | "layers"
  | "hiddenSize"
  | "heads"
  | "kvHeads"
  | "headSize"
  | "feedForwardSize"
  | "vocabularySize"
  | "contextLength"
>;

function shapeOf(
  name: string,
  architecture: ModelShape["architecture"],
  sizes: Sizes,
  tied: boolean,
): ModelShape {
  const isLlama = architecture === "llama";
  return {
    name,
    architecture,
    tied,
    hyperparameters: {
      ...sizes,
      normEpsilon: isLlama ? 1e-5 : 1e-6,
      ropeTheta: isLlama ? 500_000 : 1_000_000,
      ropeLayout: isLlama ? "interleaved" : "half",
      ropeScaling: undefined,
      ropeSize: sizes.headSize,
    },
  };
}

/** Sizes as the models' `config.json` has them. */
const LLAMA_3 = { heads: 32, kvHeads: 8, vocabularySize: 128_256, contextLength: 131_072 } as const;
const QWEN3 = {
  kvHeads: 8,
  headSize: 128,
  vocabularySize: 151_936,
  contextLength: 40_960,
} as const;

const SHAPES: readonly ModelShape[] = [
  shapeOf(
    "llama-3.2-1b",
    "llama",
    { ...LLAMA_3, layers: 16, hiddenSize: 2048, headSize: 64, feedForwardSize: 8192 },
    true,
  ),
  shapeOf(
    "llama-3.2-3b",
    "llama",
    { ...LLAMA_3, layers: 28, hiddenSize: 3072, heads: 24, headSize: 128, feedForwardSize: 8192 },
    true,
  ),
  shapeOf(
    "llama-3.1-8b",
    "llama",
    { ...LLAMA_3, layers: 32, hiddenSize: 4096, headSize: 128, feedForwardSize: 14_336 },
    false,
  ),
  shapeOf(
    "qwen3-0.6b",
    "qwen3",
    { ...QWEN3, layers: 28, hiddenSize: 1024, heads: 16, feedForwardSize: 3072 },
    true,
  ),
  shapeOf(
    "qwen3-4b",
    "qwen3",
    { ...QWEN3, layers: 36, hiddenSize: 2560, heads: 32, feedForwardSize: 9728 },
    true,
  ),
  // The model that comes with the package.
  shapeOf(
    "stories-14m",
    "llama",
    {
      layers: 8,
      hiddenSize: 384,
      heads: 6,
      kvHeads: 2,
      headSize: 64,
      feedForwardSize: 1024,
      vocabularySize: 4096,
      contextLength: 8192,
    },
    true,
  ),
  // For trying a command where there is no GPU.
  shapeOf(
    "tiny",
    "llama",
    {
      layers: 2,
      hiddenSize: 64,
      heads: 4,
      kvHeads: 2,
      headSize: 16,
      feedForwardSize: 128,
      vocabularySize: 256,
      contextLength: 8192,
    },
    false,
  ),
];

export const SHAPE_NAMES: readonly string[] = SHAPES.map(({ name }) => name);

/** The shape of that name. Throws `RequestError` where there is none. */
export function modelShape(name: string): ModelShape {
  const shape = SHAPES.find((candidate) => candidate.name === name);
  if (shape === undefined) {
    throw new RequestError(`shape "${name}" is not known; known: ${SHAPE_NAMES.join(", ")}`);
  }
  return shape;
}

/** A weight by its name in a checkpoint: a matrix [rows, columns], or a vector of `rows`. */
export interface WeightShape {
  readonly name: string;
  readonly rows: number;
  /** Absent for a vector. */
  readonly columns?: number;
}

/** Every weight of a model, in the order of a file. */
export function weightShapes({ architecture, hyperparameters, tied }: ModelShape): WeightShape[] {
  const { layers, hiddenSize, heads, kvHeads, headSize, feedForwardSize, vocabularySize } =
    hyperparameters;
  const weights: WeightShape[] = [
    { name: "token_embd.weight", rows: vocabularySize, columns: hiddenSize },
    { name: "output_norm.weight", rows: hiddenSize },
  ];
  if (!tied) weights.push({ name: "output.weight", rows: vocabularySize, columns: hiddenSize });
  for (let layer = 0; layer < layers; layer++) {
    const add = (part: string, rows: number, columns?: number) =>
      weights.push({
        name: `blk.${layer}.${part}.weight`,
        rows,
        ...(columns === undefined ? {} : { columns }),
      });
    add("attn_norm", hiddenSize);
    add("ffn_norm", hiddenSize);
    add("attn_q", heads * headSize, hiddenSize);
    add("attn_k", kvHeads * headSize, hiddenSize);
    add("attn_v", kvHeads * headSize, hiddenSize);
    if (architecture === "qwen3") {
      add("attn_q_norm", headSize);
      add("attn_k_norm", headSize);
    }
    add("attn_output", hiddenSize, heads * headSize);
    add("ffn_gate", feedForwardSize, hiddenSize);
    add("ffn_up", feedForwardSize, hiddenSize);
    add("ffn_down", hiddenSize, feedForwardSize);
  }
  return weights;
}
