import { describe, expect, test } from "vitest";
import { GPU } from "../../../tests/support/gpu-record.ts";
import { restrictCapabilities } from "../../gpu/capabilities.ts";
import type { Capabilities } from "../../gpu/capabilities.ts";
import type { Graph } from "../ir.ts";
import { planGraph } from "../plan.ts";
import { symIntRoot } from "../symint.ts";
import { fuseChoice } from "./fuse-choice.ts";
import { choiceHead } from "./choice-head.test-support.ts";
import type { HeadOptions } from "./choice-head.test-support.ts";
import { optimizeGraph } from "./index.ts";

const optimized = (graph: Graph, capabilities: Capabilities): Graph =>
  fuseChoice(optimizeGraph(graph, capabilities), capabilities);

/** The last operators, views left out. */
function opsOf(options: HeadOptions, capabilities: Capabilities = GPU): string[] {
  const { nodes, ...graph } = optimized(choiceHead(options), capabilities);
  planGraph({ ...graph, nodes }, capabilities);
  return nodes.map(({ op }) => op).filter((op) => !op.includes("view"));
}

const FUSED = "tetrad.norm_linear_choice_q4gsw";
const APART = ["tetrad.norm_linear_q4gsw", "tetrad.sample"];

describe("the sampler of a decoded token", () => {
  test("is the vocabulary's projection and one dispatch where it is greedy", () => {
    expect(opsOf({})).toEqual([FUSED]);
    expect(opsOf({ limbs: true })).toEqual(["tetrad.linear_add_limbs_q4gsw", FUSED]);
    expect(opsOf({ viewed: true })).toEqual([FUSED]);
    const graph = optimized(choiceHead({ limbs: true }), GPU);
    expect(planGraph(graph, GPU).dispatches.map(({ label }) => label)).toEqual([
      "write_limbs",
      "linear_add_to_limbs_q4gsw_limbs",
      "linear_greedy_q4gsw_limbs",
      "sampler_greedy_final",
    ]);
  });

  test("has its first step in the vocabulary's projection where it is not", () => {
    expect(opsOf({ mode: "sampled" })).toEqual([FUSED]);
    const graph = optimized(choiceHead({ mode: "sampled" }), GPU);
    expect(planGraph(graph, GPU).dispatches.map(({ label }) => label)).toEqual([
      "rms_norm_limbs",
      "linear_sampled_q4gsw_limbs",
      ...Array<string>(8).fill("sampler_digit"),
      "sampler_weigh",
      "sampler_choose",
    ]);
  });

  test("needs no integer dot products", () => {
    expect(opsOf({}, restrictCapabilities(GPU, { integerDot: false }))).toEqual([FUSED]);
  });

  test("writes the logits where they were", () => {
    const graph = choiceHead({ viewed: true });
    const { nodes, outputs } = optimized(graph, GPU);
    expect(outputs).toEqual(graph.outputs);
    expect(nodes.find(({ op }) => op === FUSED)?.results[0]?.name).toBe("head");
  });
});

describe("what keeps the sampler apart", () => {
  test("a prompt, whose size changes", () => {
    expect(opsOf({ S: symIntRoot("S", 1, 8) })).toEqual(APART);
  });

  test("too few storage buffers for the keys of sampled tokens", () => {
    const within = (maxStorageBuffersPerShaderStage: number) =>
      opsOf(
        { mode: "sampled" },
        restrictCapabilities(GPU, { limits: { maxStorageBuffersPerShaderStage } }),
      );
    expect(within(9)).toEqual([FUSED]);
    expect(within(8)).toEqual(APART);
  });

  test("something that is computed before it", () => {
    const [linear, sample] = APART;
    expect(opsOf({ alsoRead: true })).toEqual([linear, "aten.neg.default", sample]);
  });

  test("a device whose kernels do not add up within subgroups", () => {
    expect(opsOf({}, restrictCapabilities(GPU, { subgroups: false }))).toEqual(APART);
    expect(opsOf({}, { ...GPU, software: true })).toEqual(APART);
  });

  test("a vocabulary in shards", () => {
    // 130 rows of 32 bytes.
    const within = (maxStorageBufferBindingSize: number) =>
      opsOf({}, restrictCapabilities(GPU, { limits: { maxStorageBufferBindingSize } }));
    expect(within(4160)).toEqual([FUSED]);
    expect(within(4159)).toEqual(APART);
  });
});
