import type {
  Checkpoint,
  CheckpointTensor,
  Hyperparameters,
  RowSource,
} from "../../src/checkpoint.ts";

/** Published models' shapes, for tests that only plan. */
const SHAPES = {
  "stories-14m": {
    layers: 8,
    hiddenSize: 384,
    heads: 6,
    kvHeads: 2,
    headSize: 64,
    feedForwardSize: 1024,
    vocabularySize: 4096,
    tied: true,
  },
  "llama-3.2-1b": {
    layers: 16,
    hiddenSize: 2048,
    heads: 32,
    kvHeads: 8,
    headSize: 64,
    feedForwardSize: 8192,
    vocabularySize: 128_256,
    tied: true,
  },
  "llama-3.1-8b": {
    layers: 32,
    hiddenSize: 4096,
    heads: 32,
    kvHeads: 8,
    headSize: 128,
    feedForwardSize: 14_336,
    vocabularySize: 128_256,
    tied: false,
  },
} as const;

function noData(rows: number, planeRowBytes: readonly number[]): RowSource {
  return {
    rows,
    storedRowBytes: planeRowBytes.reduce((sum, bytes) => sum + bytes, 0),
    planeRowBytes,
    read: () => Promise.reject(new Error("this checkpoint has shapes, no data")),
  };
}

/** A Llama checkpoint of a published model's shapes, without data. */
export function shapeCheckpoint(name: keyof typeof SHAPES): Checkpoint {
  const { tied, ...shape } = SHAPES[name];
  const hyperparameters: Hyperparameters = {
    ...shape,
    contextLength: 8192,
    normEpsilon: 1e-5,
    ropeTheta: 500_000,
    ropeLayout: "interleaved",
    ropeScaling: undefined,
    ropeSize: shape.headSize,
  };
  const tensors = new Map<string, CheckpointTensor>();
  const matrix = (tensor: string, rows: number, columns: number) => {
    const data = noData(rows, [columns / 2, columns / 16]);
    tensors.set(tensor, {
      name: tensor,
      dims: [rows, columns],
      storedType: "Q4_0",
      byteLength: rows * data.storedRowBytes,
      q4: () => ({ rows, columns, groupSize: 32, scaleType: "f16", data, requantized: false }),
      f32: () => noData(rows, [4 * columns]),
    });
  };
  const vector = (tensor: string, length: number) =>
    tensors.set(tensor, {
      name: tensor,
      dims: [length],
      storedType: "F32",
      byteLength: 4 * length,
      q4: () => {
        throw new Error(`${tensor} is a vector`);
      },
      f32: () => noData(length, [4]),
    });
  const { layers, hiddenSize, heads, kvHeads, headSize, feedForwardSize, vocabularySize } = shape;
  matrix("token_embd.weight", vocabularySize, hiddenSize);
  if (!tied) matrix("output.weight", vocabularySize, hiddenSize);
  vector("output_norm.weight", hiddenSize);
  for (let layer = 0; layer < layers; layer++) {
    const part = (which: string) => `blk.${layer}.${which}.weight`;
    vector(part("attn_norm"), hiddenSize);
    vector(part("ffn_norm"), hiddenSize);
    matrix(part("attn_q"), heads * headSize, hiddenSize);
    matrix(part("attn_k"), kvHeads * headSize, hiddenSize);
    matrix(part("attn_v"), kvHeads * headSize, hiddenSize);
    matrix(part("attn_output"), hiddenSize, heads * headSize);
    matrix(part("ffn_gate"), feedForwardSize, hiddenSize);
    matrix(part("ffn_up"), feedForwardSize, hiddenSize);
    matrix(part("ffn_down"), hiddenSize, feedForwardSize);
  }
  return { architecture: "llama", hyperparameters, tensors, source: name };
}
