import type {
  Checkpoint,
  CheckpointTensor,
  Hyperparameters,
  RowSource,
} from "../../src/checkpoint.ts";
import { randomNumbers } from "../../src/kernels/testing/data.ts";
import { dequantizeQ4, quantizeQ4 } from "../../src/quant/q4gsw.ts";

/** A checkpoint in memory, with every tensor's exact values for a reference to compute with. */
export interface TinyCheckpoint extends Checkpoint {
  /** Row-major values after 4-bit rounding, by tensor name. */
  readonly values: ReadonlyMap<string, Float32Array>;
}

export interface TinyOptions {
  readonly architecture: "llama" | "qwen2" | "qwen3";
  readonly tied?: boolean;
  readonly hyperparameters?: Partial<Hyperparameters>;
}

const GROUP_SIZE = 32;

/** A reader of rows that lie in memory. */
export function rowsInMemory(planes: readonly Uint8Array[], rows: number): RowSource {
  const planeRowBytes = planes.map((plane) => plane.byteLength / rows);
  return {
    rows,
    storedRowBytes: planeRowBytes.reduce((sum, bytes) => sum + bytes, 0),
    planeRowBytes,
    read: (start, count) =>
      Promise.resolve(
        planes.map((plane, i) =>
          plane.slice(start * planeRowBytes[i]!, (start + count) * planeRowBytes[i]!),
        ),
      ),
  };
}

const bytesOf = (view: ArrayBufferView) =>
  new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

/** A random checkpoint of two layers with grouped-query attention; the same for the same options. */
export function tinyCheckpoint(options: TinyOptions): TinyCheckpoint {
  const { architecture, tied = false } = options;
  const hyperparameters: Hyperparameters = {
    layers: 2,
    hiddenSize: 64,
    heads: 4,
    kvHeads: 2,
    headSize: 16,
    feedForwardSize: 96,
    vocabularySize: 130,
    contextLength: 64,
    normEpsilon: 1e-5,
    ropeTheta: 10_000,
    ropeLayout: architecture === "llama" ? "interleaved" : "half",
    ropeScaling: undefined,
    ropeSize: 16,
    ...options.hyperparameters,
  };
  const next = randomNumbers(7);
  const random = (length: number, scale: number) =>
    Float32Array.from({ length }, () => (2 * next() - 1) * scale);
  const tensors = new Map<string, CheckpointTensor>();
  const values = new Map<string, Float32Array>();

  const matrix = (name: string, rows: number, columns: number) => {
    const shape = { rows, columns, groupSize: GROUP_SIZE };
    const planes = quantizeQ4(random(rows * columns, 1.5 / Math.sqrt(columns)), shape, "f16");
    values.set(name, dequantizeQ4(planes));
    const data = rowsInMemory([planes.weight, bytesOf(planes.scales)], rows);
    tensors.set(name, {
      name,
      dims: [rows, columns],
      storedType: "Q4_0",
      byteLength: data.storedRowBytes * rows,
      q4: () => ({
        rows,
        columns,
        groupSize: GROUP_SIZE,
        scaleType: "f16",
        data,
        requantized: false,
      }),
      f32: () => rowsInMemory([bytesOf(dequantizeQ4(planes))], rows),
    });
  };
  const vector = (name: string, length: number, around: number) => {
    const data = random(length, 0.3).map((value) => value + around);
    values.set(name, data);
    tensors.set(name, {
      name,
      dims: [length],
      storedType: "F32",
      byteLength: 4 * length,
      q4: () => {
        throw new Error(`${name} is a vector`);
      },
      f32: () => rowsInMemory([bytesOf(data)], length),
    });
  };

  const { layers, hiddenSize, heads, kvHeads, headSize, feedForwardSize, vocabularySize } =
    hyperparameters;
  matrix("token_embd.weight", vocabularySize, hiddenSize);
  if (!tied) matrix("output.weight", vocabularySize, hiddenSize);
  vector("output_norm.weight", hiddenSize, 1);
  for (let layer = 0; layer < layers; layer++) {
    const name = (part: string) => `blk.${layer}.${part}`;
    vector(name("attn_norm.weight"), hiddenSize, 1);
    vector(name("ffn_norm.weight"), hiddenSize, 1);
    for (const [which, count] of [
      ["q", heads],
      ["k", kvHeads],
      ["v", kvHeads],
    ] as const) {
      matrix(name(`attn_${which}.weight`), count * headSize, hiddenSize);
      if (architecture === "qwen2") vector(name(`attn_${which}.bias`), count * headSize, 0);
      if (architecture === "qwen3" && which !== "v")
        vector(name(`attn_${which}_norm.weight`), headSize, 1);
    }
    matrix(name("attn_output.weight"), hiddenSize, heads * headSize);
    matrix(name("ffn_gate.weight"), feedForwardSize, hiddenSize);
    matrix(name("ffn_up.weight"), feedForwardSize, hiddenSize);
    matrix(name("ffn_down.weight"), hiddenSize, feedForwardSize);
  }
  return { architecture, hyperparameters, tensors, values, source: `tiny ${architecture}` };
}
