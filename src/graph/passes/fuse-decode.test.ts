import { describe, expect, test } from "vitest";
import { GPU } from "../../../tests/support/gpu-record.ts";
import { restrictCapabilities } from "../../gpu/capabilities.ts";
import type { Capabilities } from "../../gpu/capabilities.ts";
import { argumentTensors } from "../ir.ts";
import type { Graph, Node } from "../ir.ts";
import { planGraph } from "../plan.ts";
import { symIntRoot } from "../symint.ts";
import { decoderLayers, Parts } from "./decoder-layer.test-support.ts";
import type { LayerOptions } from "./decoder-layer.test-support.ts";
import { optimizeGraph } from "./index.ts";
import { joinProjections } from "./join-projections.ts";

const NAMES: Readonly<Record<string, string>> = {
  "tetrad.qkv_rotary_q4gsw": "qkv to caches",
  "tetrad.sdpa_partials": "splits",
  "tetrad.attention_linear_add_q4gsw": "attention + sum to limbs",
  "tetrad.swiglu_limbs_q4gsw": "swiglu to limbs",
  "tetrad.linear_add_limbs_q4gsw": "sum to limbs",
  "tetrad.norm_linear_q4gsw": "norm, linear",
  "tetrad.embedding_limbs_q4gsw": "embedding to limbs",
  "et_vk.embedding_q4gsw.default": "embedding",
  "tetrad.qkv_q4gsw": "qkv",
  "tetrad.swiglu_q4gsw": "swiglu",
  "tetrad.linear_q4gsw_add": "sum",
  "tetrad.silu_mul": "silu · up",
  "tetrad.apply_rotary_emb_at": "rotary",
  "et_vk.apply_rotary_emb_hf.default": "rotary",
  "et_vk.linear_q4gsw.default": "linear",
  "et_vk.rms_norm.default": "norm",
  "sdpa_with_kv_cache.default": "attention",
  "aten.add.Tensor": "add",
  "aten.neg.default": "read",
};

function optimized(options: LayerOptions, capabilities: Capabilities = GPU): Graph {
  const { graph } = decoderLayers(options);
  const result = optimizeGraph(joinProjections(graph, capabilities), capabilities);
  // Whatever the passes chose, the kernels must take.
  planGraph(result, capabilities);
  return result;
}

/** The operators by short names, with "of limbs" where the row comes as such; views left out. */
function opsOf({ nodes }: Graph): string[] {
  return nodes
    .filter(({ op }) => !op.includes("view"))
    .map(({ op, args }) => {
      const takesLimbs = [...argumentTensors(args)].some(({ name }) => name.endsWith(".limbs"));
      return (NAMES[op] ?? op) + (takesLimbs ? " of limbs" : "");
    });
}

const fused = (options: LayerOptions, capabilities?: Capabilities) =>
  opsOf(optimized(options, capabilities));

const ATTENTION = ["qkv to caches", "splits", "attention + sum to limbs"];
const FEED_FORWARD = ["swiglu to limbs of limbs", "sum to limbs of limbs"];
const HEAD = ["norm, linear of limbs"];

describe("a layer of a decoded token", () => {
  test("is five operators, and the row is limbs between them", () => {
    expect(fused({ layers: 2 })).toEqual([
      ...ATTENTION,
      ...FEED_FORWARD,
      "qkv to caches of limbs",
      ...ATTENTION.slice(1),
      ...FEED_FORWARD,
      ...HEAD,
    ]);
    expect(fused({ layout: "half" })).toEqual([...ATTENTION, ...FEED_FORWARD, ...HEAD]);
  });

  test("the limbs have the weights of the norm that their readers had", () => {
    const { nodes } = optimized({ layers: 2 });
    const nextNorms = nodes
      .filter(({ op }) => op.includes("_add_"))
      .map(({ args }) => (args.at(-1) as { name: string }).name);
    expect(nextNorms).toEqual([
      "0.ffn_norm.weight",
      "1.attn_norm.weight",
      "1.ffn_norm.weight",
      "out_norm.weight",
    ]);
    const readers = nodes.filter(({ args }) => args[0] === null);
    const isHidden = (args: Node["args"]) =>
      (args[1] as { name: string }).name.startsWith("hidden");
    // SwiGLU's hidden row is not normalised; what reads the others finishes their norm.
    expect(readers.map(({ args }) => [isHidden(args), args[2], args[3]])).toEqual([
      [false, null, 1e-5],
      [true, null, null],
      [false, null, 1e-5],
      [false, null, 1e-5],
      [true, null, null],
      [false, null, 1e-5],
    ]);
  });

  test("a token's row comes as limbs as well, with the first norm's weights", () => {
    const graph = optimized({ embedded: true });
    expect(opsOf(graph)).toEqual([
      "embedding to limbs",
      "qkv to caches of limbs",
      ...ATTENTION.slice(1),
      ...FEED_FORWARD,
      ...HEAD,
    ]);
    const { nodes } = graph;
    const [embedding, qkv] = nodes as [Node, Node];
    expect((embedding.args.at(-1) as { name: string }).name).toBe("0.attn_norm.weight");
    expect(qkv.args.slice(0, 4)).toEqual([null, embedding.results[1], null, 1e-5]);
    // The residual is the row itself.
    const sum = nodes.find(({ op }) => op === "tetrad.attention_linear_add_q4gsw");
    expect(sum?.args).toContain(embedding.results[0]);
  });

  test("the separate attention writes its caches no more, and keeps its scale", () => {
    const { nodes } = optimized({});
    expect(nodes.some(({ op }) => op === "sdpa_with_kv_cache.default")).toBe(false);
    const splits = nodes.find(({ op }) => op === "tetrad.sdpa_partials");
    expect(splits?.args.slice(1, 3)).toEqual([null, null]);
    expect(splits?.args[6]).toBe(1 / Math.sqrt(32));
  });
});

describe("what keeps attention's operators apart", () => {
  // q, k and v are one operator, and attention's splits store k and v.
  const APART = ["qkv", "rotary", "splits", "attention + sum to limbs"];

  test.each(["rotated q", "rotated k"] as const)("%s is read by something else", (alsoRead) => {
    const ops = ["qkv", "rotary", "read", ...APART.slice(2)];
    expect(fused({ alsoRead })).toEqual([...ops, ...FEED_FORWARD, ...HEAD]);
  });

  test("v is read by something else", () => {
    expect(fused({ alsoRead: "v" }).filter((op) => op !== "read")).toEqual([
      ...APART,
      ...FEED_FORWARD,
      ...HEAD,
    ]);
  });

  test("the rotation is for another position", () => {
    expect(fused({ otherPosition: true })).toEqual([...APART, ...FEED_FORWARD, ...HEAD]);
  });

  test("rows of q, k and v that cannot be joined: those run apart, and on f32", () => {
    // 32 rows of two scales are 128 bytes: v could not be bound by itself.
    const layer = [...APART, ...FEED_FORWARD];
    expect(fused({ kvHeads: 1, layers: 2 })).toEqual([...layer, ...layer, ...HEAD]);
  });

  test("norms or biases between projections and rotation", () => {
    expect(fused({ qkNorm: true, layout: "half" })).toEqual([
      "qkv",
      "norm",
      "norm",
      ...APART.slice(1),
      ...FEED_FORWARD,
      ...HEAD,
    ]);
    const biased = ["norm", "linear", "linear", "linear", ...APART.slice(1)];
    expect(fused({ attentionBias: true })).toEqual([...biased, ...FEED_FORWARD, ...HEAD]);
  });

  test("attention's result is read by something else", () => {
    expect(fused({ alsoRead: "attention" })).toEqual([
      "qkv",
      "rotary",
      "attention",
      "read",
      "sum to limbs",
      ...FEED_FORWARD,
      ...HEAD,
    ]);
  });
});

describe("what keeps rows in f32", () => {
  test("a device that lacks what limbs need", () => {
    const plain = ["swiglu", "sum", "norm, linear"];
    const without = (overrides: Parameters<typeof restrictCapabilities>[1]) =>
      fused({}, restrictCapabilities(GPU, overrides));
    // The fused rotation needs subgroups only, but attention's splits go with limbs.
    const apart = ["qkv", "rotary", "attention", "sum", ...plain];
    expect(without({ integerDot: false })).toEqual(apart);
    expect(without({ subgroups: false })).toEqual(apart);
    expect(fused({}, { ...GPU, software: true })).toEqual(apart);
  });

  test("too little workgroup memory for attention's splits, but not for limbs", () => {
    const limits = { maxComputeWorkgroupStorageSize: 8192 };
    expect(fused({}, restrictCapabilities(GPU, { limits }))).toEqual([
      "qkv",
      "rotary",
      "attention",
      "sum to limbs",
      ...FEED_FORWARD,
      ...HEAD,
    ]);
  });

  test("nobody reads an embedding's row as limbs", () => {
    // The first norm is read by three projections with biases.
    const [first, second] = fused({ embedded: true, attentionBias: true });
    expect([first, second]).toEqual(["embedding", "norm"]);
    const device = restrictCapabilities(GPU, { integerDot: false });
    expect(fused({ embedded: true }, device)[0]).toBe("embedding");
  });

  test("rows of several tokens", () => {
    const parts = new Parts();
    const tokens = parts.g.input("tokens", "i32", [1, 2]);
    parts.g.output(parts.norm("norm", parts.embedding("embedding", tokens, 8, 64), 64));
    expect(opsOf(optimizeGraph(parts.g.build(), GPU))).toEqual(["embedding", "norm"]);
  });

  test("two readers through different norms: only the first gets limbs", () => {
    const layer = [...ATTENTION, ...FEED_FORWARD];
    expect(fused({ secondReader: "other norm" })).toEqual([...layer, ...HEAD, "norm, linear"]);
    // A projection without a norm is no reader of limbs.
    expect(fused({ secondReader: "no norm" })).toEqual([...layer, ...HEAD, "linear"]);
  });

  test("SwiGLU's hidden row is read by something else", () => {
    expect(fused({ alsoRead: "hidden" }).filter((op) => op !== "read")).toEqual([
      ...ATTENTION,
      "swiglu of limbs",
      "sum to limbs",
      ...HEAD,
    ]);
  });

  test("residual projections with a bias", () => {
    expect(fused({ outputBias: true })).toEqual([
      "qkv",
      "rotary",
      "attention",
      "sum",
      "swiglu",
      "sum",
      "norm, linear",
    ]);
  });

  test("outputs that are no whole groups of 32", () => {
    const rows = (N: number) => {
      const parts = new Parts();
      const x = parts.g.input("x", "f32", [1, 1, 64]);
      const hidden = parts.silu(parts.linear("gate", x, 96, 64), parts.linear("up", x, 96, 64));
      const residual = parts.g.input("residual", "f32", [1, 1, N]);
      const down = parts.linear("down", hidden, N, 96);
      parts.g.output(parts.g.node("aten.add.Tensor", "out", down, residual, 1));
      return opsOf(optimizeGraph(parts.g.build(), GPU));
    };
    expect(rows(64)).toEqual(["swiglu to limbs", "sum to limbs of limbs"]);
    expect(rows(48)).toEqual(["swiglu", "sum"]);
  });

  test("many rows", () => {
    const S = symIntRoot("S", 1, 8);
    const parts = new Parts();
    const x = parts.g.input("x", "f32", [1, S, 64]);
    const down = parts.linear("down", x, 64, 64);
    const sum = parts.g.node("aten.add.Tensor", "sum", down, x, 1);
    parts.g.output(parts.linear("head", parts.norm("norm", sum, 64), 64, 64));
    expect(opsOf(optimizeGraph(parts.g.build(), GPU))).toEqual(["sum", "norm", "linear"]);
  });
});
