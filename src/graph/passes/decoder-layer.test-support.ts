/** Graphs of one decoded token, for tests of the passes: layers as the model builders make them. */
import { rowsInMemory } from "../../../tests/support/tiny-checkpoint.ts";
import { randomValues } from "../../kernels/testing/data.ts";
import { quantizeQ4 } from "../../quant/q4gsw.ts";
import { GraphBuilder } from "../builder.ts";
import type { Graph, Tensor } from "../ir.ts";
import { symIntRoot } from "../symint.ts";
import type { SymIntRoot } from "../symint.ts";

/** How a layer differs from Llama's: 4 query heads on 2, of 32 values, interleaved, an f16 cache. */
export interface LayerOptions {
  readonly layers?: number;
  readonly layout?: "interleaved" | "half";
  readonly cacheType?: "f16" | "f32";
  readonly kvHeads?: number;
  readonly headSize?: number;
  readonly hiddenSize?: number;
  readonly feedForwardSize?: number;
  /** As Qwen2: q, k and v have biases. */
  readonly attentionBias?: boolean;
  /** As Qwen3: q's and k's heads are normalised before they are rotated. */
  readonly qkNorm?: boolean;
  /** The residual projections have a bias. */
  readonly outputBias?: boolean;
  /** The row is a token's, of a table of {@link VOCABULARY} rows: that is the input, i32 [1, 1]. */
  readonly embedded?: boolean;
  /** Attention is at another position than the rotation. */
  readonly otherPosition?: boolean;
  /** What else is an output of the graph. */
  readonly alsoRead?: "rotated q" | "rotated k" | "v" | "hidden" | "attention";
  /** Something else projects the layer's sum, through other norm weights or none. */
  readonly secondReader?: "other norm" | "no norm";
}

export interface LayerGraph {
  readonly graph: Graph;
  readonly position: SymIntRoot;
  readonly hiddenSize: number;
}

export const CACHE_LENGTH = 192;
const HEADS = 4;
export const VOCABULARY = 130;
const EPSILON = 1e-5;
const GROUP_SIZE = 32;

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView) =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** The same for the same name, and another for another. */
const seedOf = (name: string) =>
  new TextEncoder().encode(name).reduce((seed, byte) => (31 * seed + byte) % 65_537, 7);

/** Adds a model's parts to a graph, with random weights that are the same for the same names. */
export class Parts {
  readonly g = new GraphBuilder("decoder");

  #table(name: string, dims: readonly [number, ...number[]], values: Float32Array): Tensor {
    return this.g.constant(name, "f32", dims, rowsInMemory([bytesOf(values)], dims[0]));
  }

  vector(name: string, length: number, around: number): Tensor {
    const values = randomValues(length, seedOf(name)).map((value) => around + 0.3 * value);
    const data = rowsInMemory([bytesOf(values)], 1);
    return this.g.constant(name, "f32", [length], data);
  }

  #matrix(name: string, rows: number, columns: number): readonly [weight: Tensor, scales: Tensor] {
    const scale = 1.5 / Math.sqrt(columns);
    const { weight, scales } = quantizeQ4(
      randomValues(rows * columns, seedOf(name)).map((value) => value * scale),
      { rows, columns, groupSize: GROUP_SIZE },
      "f16",
    );
    const data = rowsInMemory([weight, bytesOf(scales)], rows);
    return [
      this.g.constant(`${name}.weight`, "u8", [rows, columns / 2], data, 0),
      this.g.constant(`${name}.scales`, "f16", [rows, columns / GROUP_SIZE], data, 1),
    ];
  }

  linear(name: string, x: Tensor, rows: number, columns: number, bias = false): Tensor {
    return this.g.node(
      "et_vk.linear_q4gsw.default",
      name,
      x,
      ...this.#matrix(name, rows, columns),
      GROUP_SIZE,
      bias ? this.vector(`${name}.bias`, rows, 0) : null,
    );
  }

  embedding(name: string, tokens: Tensor, rows: number, columns: number): Tensor {
    const table = this.#matrix(name, rows, columns);
    return this.g.node("et_vk.embedding_q4gsw.default", name, ...table, GROUP_SIZE, tokens, true);
  }

  norm(name: string, x: Tensor, width: number, epsilon = EPSILON): Tensor {
    const weight = this.vector(`${name}.weight`, width, 1);
    return this.g.node("et_vk.rms_norm.default", name, x, weight, epsilon);
  }

  view(x: Tensor, ...dims: readonly number[]): Tensor {
    return this.g.node("aten.view_copy.default", `${x.name} view`, x, [...dims]);
  }

  rotary(q: Tensor, k: Tensor, layout: "interleaved" | "half", position: SymIntRoot) {
    const D = Number(q.dims[3]);
    const width = layout === "half" ? D : D / 2;
    const [cos, sin] = ["cos", "sin"].map((name) =>
      this.#table(name, [CACHE_LENGTH, width], randomValues(CACHE_LENGTH * width, seedOf(name))),
    );
    const op =
      layout === "half" ? "et_vk.apply_rotary_emb_hf.default" : "tetrad.apply_rotary_emb_at";
    return this.g.nodes(op, "rotated", [q, k, cos!, sin!, position]);
  }

  silu(gate: Tensor, up: Tensor): Tensor {
    const sigmoid = this.g.node("aten.sigmoid.default", "sigmoid", gate);
    const silu = this.g.node("aten.mul.Tensor", "silu", gate, sigmoid);
    return this.g.node("aten.mul.Tensor", "hidden", silu, up);
  }
}

/** Layers of one token and the vocabulary after them: outputs are logits, caches, and what else is read. */
export function decoderLayers(options: LayerOptions = {}): LayerGraph {
  const { layers = 1, layout = "interleaved", cacheType = "f16" } = options;
  const { kvHeads = 2, headSize = 32, hiddenSize = 64, feedForwardSize = 96 } = options;
  const { attentionBias = false, outputBias = false, alsoRead, secondReader } = options;
  const [H, F, D] = [hiddenSize, feedForwardSize, headSize];
  const parts = new Parts();
  const { g } = parts;
  const positionAt = (name: string) =>
    symIntRoot(name, 0, CACHE_LENGTH - 1, { tensor: g.input(name, "i32", [1]), index: 0 });
  const position = positionAt("position");
  const attended = options.otherPosition ? positionAt("other") : position;
  const extra: Tensor[] = [];
  const also = (what: LayerOptions["alsoRead"], tensor: Tensor): Tensor => {
    if (alsoRead === what) extra.push(g.node("aten.neg.default", `read ${what}`, tensor));
    return tensor;
  };

  let x = options.embedded
    ? parts.embedding("embedding", g.input("token", "i32", [1, 1]), VOCABULARY, H)
    : g.input("x", "f32", [1, 1, H]);
  for (let layer = 0; layer < layers; layer++) {
    const name = (part: string) => `${layer}.${part}`;
    const normed = parts.norm(name("attn_norm"), x, H);
    const project = (which: string, heads: number): Tensor => {
      const row = parts.linear(name(which), normed, heads * D, H, attentionBias);
      const split = parts.view(row, 1, 1, heads, D);
      const isNormed = options.qkNorm && which !== "v";
      return isNormed ? parts.norm(name(`${which}_norm`), split, D) : split;
    };
    const [q, k, v] = [project("q", HEADS), project("k", kvHeads), project("v", kvHeads)];
    const [turnedQ, turnedK] = parts.rotary(q, k, layout, position);
    const cache = (which: string) => g.state(name(which), cacheType, [1, CACHE_LENGTH, kvHeads, D]);
    const caches = [cache("k_cache"), cache("v_cache")];
    const attention = g.node(
      "sdpa_with_kv_cache.default",
      name("attention"),
      also("rotated q", turnedQ!),
      also("rotated k", turnedK!),
      also("v", v),
      ...caches,
      attended,
      1,
      null,
      0,
      true,
      null,
    );
    const flat = parts.view(also("attention", attention), 1, 1, HEADS * D);
    const projected = parts.linear(name("output"), flat, H, HEADS * D, outputBias);
    const sum = g.node("aten.add.Tensor", name("sum"), projected, x, 1);
    const fed = parts.norm(name("ffn_norm"), sum, H);
    const gate = parts.linear(name("gate"), fed, F, H);
    const up = parts.linear(name("up"), fed, F, H);
    const hidden = also("hidden", parts.silu(gate, up));
    const down = parts.linear(name("down"), hidden, H, F, outputBias);
    x = g.node("aten.add.Tensor", name("out"), down, sum, 1);
    for (const each of caches) extra.push(each);
  }
  g.output(parts.linear("head", parts.norm("out_norm", x, H), VOCABULARY, H));
  if (secondReader !== undefined) {
    const row = secondReader === "no norm" ? x : parts.norm("other_norm", x, H);
    g.output(parts.linear("second head", row, VOCABULARY, H));
  }
  for (const tensor of extra) g.output(tensor);
  return { graph: g.build(), position, hiddenSize };
}
