/**
 * The parts a decoder-only transformer is put together from. Each architecture's file says which
 * parts it uses; the operators are ExecuTorch's, in the order its exporter writes them, so that the
 * same passes serve a `.pte` of the same model.
 */
import type { Checkpoint, CheckpointTensor, Q4Matrix } from "../checkpoint.ts";
import { FormatError } from "../errors.ts";
import { GraphBuilder } from "../graph/builder.ts";
import type { Tensor } from "../graph/ir.ts";
import { symIntExpression, symIntRoot } from "../graph/symint.ts";
import type { SymIntRoot } from "../graph/symint.ts";
import type { DecoderGraph, DecoderOptions } from "../graph/decoder-graph.ts";
import { rotaryFrequencies, rotaryTable } from "./rotary-tables.ts";

/** What sets one Llama-like architecture apart from the next. */
export interface Architecture {
  /** q, k and v projections have a bias. */
  readonly attentionBias: boolean;
  /** q and k are normalised per head before they are rotated. */
  readonly qkNorm: boolean;
}

/** The planes of a 4-bit matrix as constants. */
interface Q4Constants {
  readonly matrix: Q4Matrix;
  readonly weight: Tensor;
  readonly scales: Tensor;
}

/** Builds one model's graph; holds what its layers share. */
class TransformerBuilder {
  readonly #checkpoint: Checkpoint;
  readonly #architecture: Architecture;
  readonly #options: DecoderOptions;
  readonly #graph: GraphBuilder;
  readonly #matrices = new Map<string, Q4Constants>();
  readonly #sequenceLength: SymIntRoot;
  readonly #position: SymIntRoot;
  readonly #tokens: Tensor;
  readonly #inputPos: Tensor;

  constructor(checkpoint: Checkpoint, architecture: Architecture, options: DecoderOptions) {
    this.#checkpoint = checkpoint;
    this.#architecture = architecture;
    this.#options = options;
    const { contextLength, maxSequenceLength } = options;
    this.#graph = new GraphBuilder(checkpoint.architecture);
    this.#sequenceLength = symIntRoot("sequence_length", 1, maxSequenceLength);
    this.#tokens = this.#graph.input("tokens", "i32", [1, this.#sequenceLength]);
    this.#inputPos = this.#graph.input("input_pos", "i32", [1]);
    this.#position = symIntRoot("position", 0, contextLength - 1, {
      tensor: this.#inputPos,
      index: 0,
    });
  }

  #find(name: string, dims: readonly number[]): CheckpointTensor {
    const tensor = this.#checkpoint.tensors.get(name);
    const where = `${this.#checkpoint.source}: tensor "${name}"`;
    if (tensor === undefined) throw new FormatError(`${where} is missing`);
    if (tensor.dims.length !== dims.length || dims.some((dim, i) => dim !== tensor.dims[i])) {
      throw new FormatError(`${where} is [${tensor.dims.join(", ")}], must be [${dims.join(", ")}]`);
    }
    return tensor;
  }

  /** A matrix's planes; asked for twice (tied embeddings), it is one constant. */
  #matrix(name: string, rows: number, columns: number): Q4Constants {
    const known = this.#matrices.get(name);
    if (known !== undefined) return known;
    const matrix = this.#find(name, [rows, columns]).q4();
    const { data, groupSize, scaleType } = matrix;
    const constants = {
      matrix,
      weight: this.#graph.constant(name, "u8", [rows, Math.ceil(columns / 8) * 4], data, 0),
      scales: this.#graph.constant(`${name}.scales`, scaleType, [rows, columns / groupSize], data, 1),
    };
    this.#matrices.set(name, constants);
    return constants;
  }

  #vector(name: string, length: number): Tensor {
    return this.#graph.constant(name, "f32", [length], this.#find(name, [length]).f32());
  }

  #linear(name: string, label: string, x: Tensor, rows: number, columns: number, bias = false) {
    const { matrix, weight, scales } = this.#matrix(`${name}.weight`, rows, columns);
    return this.#graph.node(
      "et_vk.linear_q4gsw.default",
      label,
      x,
      weight,
      scales,
      matrix.groupSize,
      bias ? this.#vector(`${name}.bias`, rows) : null,
    );
  }

  #norm(name: string, label: string, x: Tensor, width: number): Tensor {
    return this.#graph.node(
      "et_vk.rms_norm.default",
      label,
      x,
      this.#vector(`${name}.weight`, width),
      this.#checkpoint.hyperparameters.normEpsilon,
    );
  }

  /** cos and sin tables, and how to apply them to q and k. */
  async #rotary(): Promise<(label: string, q: Tensor, k: Tensor) => readonly Tensor[]> {
    const { ropeSize, ropeTheta, ropeScaling, ropeLayout } = this.#checkpoint.hyperparameters;
    const { contextLength } = this.#options;
    const factors =
      ropeScaling?.type === "factors"
        ? await readVector(this.#find(ropeScaling.tensor, [ropeSize / 2]))
        : undefined;
    const frequencies = rotaryFrequencies(ropeSize, ropeTheta, ropeScaling, factors);
    const repeats = ropeLayout === "half" ? 2 : 1;
    const table = (name: string, fn: (angle: number) => number) =>
      this.#graph.constant(
        name,
        "f32",
        [contextLength, (ropeSize / 2) * repeats],
        rotaryTable(fn, frequencies, contextLength, repeats),
      );
    const [cos, sin] = [table("freqs_cos", Math.cos), table("freqs_sin", Math.sin)];
    if (ropeLayout === "half") {
      return (label, q, k) =>
        this.#graph.nodes("et_vk.apply_rotary_emb_hf.default", label, [q, k, cos, sin, this.#position]);
    }
    const end = symIntExpression("add", this.#position, this.#sequenceLength);
    const slice = (name: string, whole: Tensor) =>
      this.#graph.node("aten.slice_copy.Tensor", name, whole, 0, this.#position, end, 1);
    const [cosRows, sinRows] = [slice("cos", cos), slice("sin", sin)];
    return (label, q, k) =>
      this.#graph.nodes("et_vk.apply_rotary_emb.default", label, [q, k, cosRows, sinRows]);
  }

  /** x [1, S, hidden] → attention's contribution to the residual stream, alike. */
  #attention(layer: number, x: Tensor, rotate: (label: string, q: Tensor, k: Tensor) => readonly Tensor[]) {
    const { hiddenSize, heads, kvHeads, headSize } = this.#checkpoint.hyperparameters;
    const { attentionBias, qkNorm } = this.#architecture;
    const { contextLength, cacheType } = this.#options;
    const S = this.#sequenceLength;
    const project = (which: "q" | "k" | "v", count: number) => {
      const name = `blk.${layer}.attn_${which}`;
      const flat = this.#linear(name, `layer${layer}.${which}`, x, count * headSize, hiddenSize, attentionBias);
      const split = this.#graph.node("aten.view_copy.default", `layer${layer}.${which}_heads`, flat, [1, S, count, headSize]);
      return qkNorm && which !== "v"
        ? this.#norm(`${name}_norm`, `layer${layer}.${which}_norm`, split, headSize)
        : split;
    };
    const [q, k, v] = [project("q", heads), project("k", kvHeads), project("v", kvHeads)];
    const [rotatedQ, rotatedK] = rotate(`layer${layer}.rotary`, q, k);
    const cache = (which: string) =>
      this.#graph.state(`layer${layer}.${which}_cache`, cacheType, [1, contextLength, kvHeads, headSize]);
    const attended = this.#graph.node(
      "sdpa_with_kv_cache.default",
      `layer${layer}.attention`,
      rotatedQ ?? null,
      rotatedK ?? null,
      v,
      cache("k"),
      cache("v"),
      this.#position,
      1,
      null,
      0,
      true,
      null,
    );
    const flat = this.#graph.node("aten.view_copy.default", `layer${layer}.attention_flat`, attended, [1, S, heads * headSize]);
    return this.#linear(`blk.${layer}.attn_output`, `layer${layer}.attention_output`, flat, hiddenSize, heads * headSize);
  }

  /** SwiGLU (Shazeer, 2020): down(silu(gate(x)) · up(x)). */
  #feedForward(layer: number, x: Tensor): Tensor {
    const { hiddenSize, feedForwardSize } = this.#checkpoint.hyperparameters;
    const name = (part: string) => `blk.${layer}.ffn_${part}`;
    const label = (part: string) => `layer${layer}.${part}`;
    const gate = this.#linear(name("gate"), label("gate"), x, feedForwardSize, hiddenSize);
    const sigmoid = this.#graph.node("aten.sigmoid.default", label("sigmoid"), gate);
    const silu = this.#graph.node("aten.mul.Tensor", label("silu"), gate, sigmoid);
    const up = this.#linear(name("up"), label("up"), x, feedForwardSize, hiddenSize);
    const hidden = this.#graph.node("aten.mul.Tensor", label("ffn_hidden"), silu, up);
    return this.#linear(name("down"), label("down"), hidden, hiddenSize, feedForwardSize);
  }

  async build(): Promise<DecoderGraph> {
    const { layers, hiddenSize, vocabularySize } = this.#checkpoint.hyperparameters;
    const graph = this.#graph;
    const embedding = this.#matrix("token_embd.weight", vocabularySize, hiddenSize);
    let h = graph.node(
      "et_vk.embedding_q4gsw.default",
      "embedding",
      embedding.weight,
      embedding.scales,
      embedding.matrix.groupSize,
      this.#tokens,
      true,
    );
    const rotate = await this.#rotary();
    for (let layer = 0; layer < layers; layer++) {
      const normed = this.#norm(`blk.${layer}.attn_norm`, `layer${layer}.attention_norm`, h, hiddenSize);
      const attention = this.#attention(layer, normed, rotate);
      const mid = graph.node("aten.add.Tensor", `layer${layer}.attention_residual`, h, attention, 1);
      const normedMid = this.#norm(`blk.${layer}.ffn_norm`, `layer${layer}.ffn_norm`, mid, hiddenSize);
      const feedForward = this.#feedForward(layer, normedMid);
      h = graph.node("aten.add.Tensor", `layer${layer}.ffn_residual`, mid, feedForward, 1);
    }
    const last = graph.node("aten.select_copy.int", "last_token", h, 1, -1);
    const normed = this.#norm("output_norm", "final_norm", last, hiddenSize);
    // Without an output matrix of its own a model reuses the embedding's.
    const head = this.#checkpoint.tensors.has("output.weight") ? "output" : "token_embd";
    const logits = this.#linear(head, "logits", normed, vocabularySize, hiddenSize);
    graph.output(logits);
    return {
      graph: graph.build(),
      tokens: this.#tokens,
      inputPos: this.#inputPos,
      logits,
      sequenceLength: this.#sequenceLength,
      position: this.#position,
      contextLength: this.#options.contextLength,
      vocabularySize,
    };
  }
}

async function readVector(tensor: CheckpointTensor): Promise<Float32Array> {
  const source = tensor.f32();
  const [plane] = await source.read(0, source.rows);
  return new Float32Array((plane ?? new Uint8Array()).slice().buffer);
}

/** Builds the graph of a Llama-like checkpoint. Throws `FormatError` for tensors that do not fit. */
export function buildTransformer(
  checkpoint: Checkpoint,
  architecture: Architecture,
  options: DecoderOptions,
): Promise<DecoderGraph> {
  return new TransformerBuilder(checkpoint, architecture, options).build();
}
