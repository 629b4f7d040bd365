/**
 * A Llama checkpoint as an ONNX model of ONNX Runtime's own operators, as its exporters write them:
 * 4-bit embedding, norms, 4-bit projections, grouped-query attention with rotary embedding inside,
 * caches as inputs and outputs, and the logits of the last token.
 */
import type { Checkpoint, CheckpointTensor } from "../../../src/checkpoint.ts";
import { rotaryFrequencies, rotaryTable } from "../../../src/models/rotary-tables.ts";
import { OnnxGraph } from "./graph.ts";
import { addMatMulNBits, halfOrder, readVector, storeMatrix, storeVector } from "./q4-weights.ts";
import type { FloatType, StoredMatrix } from "./q4-weights.ts";
import { WeightsFile } from "./weights-file.ts";

export interface DecoderModelOptions {
  /** Type of activations, scales and caches. */
  readonly type: FloatType;
  /** MatMulNBits' `accuracy_level`: 4 allows activations in int8, 0 does not. */
  readonly accuracyLevel: 0 | 4;
  /** Positions that the caches hold. */
  readonly contextLength: number;
  /** One projection for q, k and v, which attention takes apart, or three. */
  readonly qkv: "packed" | "separate";
}

/** The caches' names, all keys and values of layer 0, of layer 1, … */
export function cacheNames(layers: number): { past: string; present: string }[] {
  return Array.from({ length: layers * 2 }, (_, i) => {
    const which = `${Math.floor(i / 2)}.${i % 2 === 0 ? "key" : "value"}`;
    return { past: `past_key_values.${which}`, present: `present.${which}` };
  });
}

class DecoderModelWriter {
  readonly #checkpoint: Checkpoint;
  readonly #options: DecoderModelOptions;
  readonly #weights: WeightsFile;
  readonly #graph: OnnxGraph;

  constructor(checkpoint: Checkpoint, options: DecoderModelOptions, weights: WeightsFile) {
    this.#checkpoint = checkpoint;
    this.#options = options;
    this.#weights = weights;
    this.#graph = new OnnxGraph(checkpoint.architecture);
  }

  #tensor(name: string): CheckpointTensor {
    const tensor = this.#checkpoint.tensors.get(name);
    if (tensor === undefined) throw new Error(`onnx: ${this.#checkpoint.source}: no ${name}`);
    return tensor;
  }

  async #vector(name: string): Promise<string> {
    const values = await readVector(this.#tensor(`${name}.weight`));
    const place = await storeVector(this.#weights, this.#options.type, values);
    return this.#graph.stored(name, this.#options.type, [values.length], place);
  }

  #project(name: string, x: string, matrix: StoredMatrix): string {
    const { type, accuracyLevel } = this.#options;
    return addMatMulNBits(this.#graph, name, x, matrix, type, accuracyLevel);
  }

  async #linear(name: string, x: string): Promise<string> {
    const parts = [{ matrix: this.#tensor(`${name}.weight`).q4() }];
    return this.#project(name, x, await storeMatrix(this.#weights, this.#options.type, parts));
  }

  async #rotary(): Promise<string[]> {
    const { ropeSize, ropeTheta, ropeScaling } = this.#checkpoint.hyperparameters;
    const { type, contextLength } = this.#options;
    const factors =
      ropeScaling?.type === "factors"
        ? await readVector(this.#tensor(ropeScaling.tensor))
        : undefined;
    const frequencies = rotaryFrequencies(ropeSize, ropeTheta, ropeScaling, factors);
    const tables = { cos_cache: Math.cos, sin_cache: Math.sin };
    const names: string[] = [];
    for (const [name, fn] of Object.entries(tables)) {
      const rows = rotaryTable(fn, frequencies, contextLength, 1);
      const [plane = new Uint8Array()] = await rows.read(0, contextLength);
      const place = await storeVector(this.#weights, type, new Float32Array(plane.buffer));
      names.push(this.#graph.stored(name, type, [contextLength, ropeSize / 2], place));
    }
    return names;
  }

  /** Attention's operands query, key and value; packed, all are in the first. */
  async #queryKeyValue(layer: number, x: string): Promise<string[]> {
    const { headSize, ropeLayout } = this.#checkpoint.hyperparameters;
    const order = ropeLayout === "interleaved" ? halfOrder(headSize) : undefined;
    const parts = (["q", "k", "v"] as const).map((which) => ({
      matrix: this.#tensor(`blk.${layer}.attn_${which}.weight`).q4(),
      order: which === "v" ? undefined : order,
    }));
    const { type, qkv } = this.#options;
    const project = async (name: string, group: typeof parts) =>
      this.#project(`blk.${layer}.attn_${name}`, x, await storeMatrix(this.#weights, type, group));
    if (qkv === "packed") return [await project("qkv", parts), "", ""];
    const names: string[] = [];
    for (const [i, part] of parts.entries()) names.push(await project("qkv".charAt(i), [part]));
    return names;
  }

  async #attention(
    layer: number,
    x: string,
    lengths: readonly string[],
    rotary: readonly string[],
  ) {
    const { heads, kvHeads, headSize } = this.#checkpoint.hyperparameters;
    const { type, contextLength } = this.#options;
    const caches = cacheNames(layer + 1).slice(2 * layer);
    const dims = [1, kvHeads, contextLength, headSize];
    for (const { past } of caches) this.#graph.input(past, type, dims);
    const attended = this.#graph.node(
      "GroupQueryAttention",
      `blk.${layer}.attention`,
      [
        ...(await this.#queryKeyValue(layer, x)),
        ...caches.map(({ past }) => past),
        ...lengths,
        ...rotary,
      ],
      {
        num_heads: heads,
        kv_num_heads: kvHeads,
        scale: 1 / Math.sqrt(headSize),
        do_rotary: 1,
        rotary_interleaved: 0,
      },
      caches.map(({ present }) => present),
    );
    for (const { present } of caches) this.#graph.output(present, type, dims);
    return this.#linear(`blk.${layer}.attn_output`, attended);
  }

  async #feedForward(layer: number, x: string): Promise<string> {
    const name = (part: string) => `blk.${layer}.ffn_${part}`;
    const gate = await this.#linear(name("gate"), x);
    const up = await this.#linear(name("up"), x);
    const sigmoid = this.#graph.node("Sigmoid", name("sigmoid"), [gate]);
    const silu = this.#graph.node("Mul", name("silu"), [gate, sigmoid]);
    return this.#linear(name("down"), this.#graph.node("Mul", name("hidden"), [silu, up]));
  }

  /** The residual stream with `added`, and its norm: [normed, sum]. */
  async #addAndNorm(name: string, h: string, added: string): Promise<[string, string]> {
    const sum = `${name}.sum`;
    const operands = [h, added, await this.#vector(name)];
    const epsilon = this.#checkpoint.hyperparameters.normEpsilon;
    const normed = this.#graph.node(
      "SkipSimplifiedLayerNormalization",
      `${name}.normed`,
      operands,
      { epsilon },
      ["", "", sum],
    );
    return [normed, sum];
  }

  async #embedding(tokens: string): Promise<[string, StoredMatrix]> {
    const { type } = this.#options;
    const parts = [{ matrix: this.#tensor("token_embd.weight").q4() }];
    const stored = await storeMatrix(this.#weights, type, parts);
    const { rows, columns, weight, scales } = stored;
    const embedded = this.#graph.node(
      "GatherBlockQuantized",
      "embedding",
      [
        this.#graph.stored("token_embd.weight", "u8", [rows, columns / 2], weight),
        tokens,
        this.#graph.stored("token_embd.scales", type, [rows, columns / 32], scales),
      ],
      { bits: 4, block_size: 32, gather_axis: 0, quantize_axis: 1 },
    );
    return [embedded, stored];
  }

  async write(file: string): Promise<void> {
    const { layers, normEpsilon, vocabularySize } = this.#checkpoint.hyperparameters;
    const graph = this.#graph;
    const tokens = graph.input("input_ids", "i64", [1, "sequence_length"]);
    const lengths = [
      graph.input("seqlens_k", "i32", [1]),
      graph.input("total_sequence_length", "i32", [1]),
    ];
    const rotary = await this.#rotary();
    const [embedded, embedding] = await this.#embedding(tokens);
    let h = embedded;
    let x = graph.node(
      "SimplifiedLayerNormalization",
      "blk.0.attn_norm.normed",
      [h, await this.#vector("blk.0.attn_norm")],
      { axis: -1, epsilon: normEpsilon },
    );
    for (let layer = 0; layer < layers; layer++) {
      const attended = await this.#attention(layer, x, lengths, rotary);
      [x, h] = await this.#addAndNorm(`blk.${layer}.ffn_norm`, h, attended);
      const next = layer + 1 < layers ? `blk.${layer + 1}.attn_norm` : "output_norm";
      [x, h] = await this.#addAndNorm(next, h, await this.#feedForward(layer, x));
    }
    const index = graph.constant("last", "i64", [1], new BigInt64Array([-1n]));
    const last = graph.node("Gather", "last_token", [x, index], { axis: 1 });
    const head = this.#checkpoint.tensors.has("output.weight")
      ? await this.#linear("output", last)
      : this.#project("output", last, embedding);
    graph.node("Cast", "logits", [head], { to: 1 });
    graph.output("logits", "f32", [1, 1, vocabularySize]);
    await graph.write(file);
  }
}

/**
 * Writes `file` and, beside it, `file.data` with the weights. Throws for architectures other than
 * Llama's, which have parts this model does not.
 */
export async function writeDecoderModel(
  checkpoint: Checkpoint,
  file: string,
  options: DecoderModelOptions,
): Promise<void> {
  const { architecture, source } = checkpoint;
  if (architecture !== "llama") {
    throw new Error(
      `onnx: ${source}: architecture ${architecture} is not supported; supported: llama`,
    );
  }
  const weights = await WeightsFile.create(`${file}.data`);
  try {
    await new DecoderModelWriter(checkpoint, options, weights).write(file);
  } finally {
    await weights.close();
  }
}
