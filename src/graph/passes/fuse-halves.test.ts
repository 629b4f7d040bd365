import { describe, expect, test } from "vitest";
import { GPU as PLAIN_GPU } from "../../../tests/support/gpu-record.ts";
import { restrictCapabilities } from "../../gpu/capabilities.ts";
import type { Capabilities } from "../../gpu/capabilities.ts";
import { planGraph } from "../plan.ts";
import { SymIntValues } from "../symint.ts";
import type { Tuning } from "../tuning.ts";
import { optimizeGraph } from "./index.ts";
import { joinProjections } from "./join-projections.ts";
import { promptLayer } from "./prompt-layer.test-support.ts";
import type { PromptLayerOptions } from "./prompt-layer.test-support.ts";

const MATRIX = { componentType: "f16", resultComponentType: "f32", M: 16, N: 16, K: 16 } as const;
const GPU: Capabilities = { ...PLAIN_GPU, subgroupMatrices: [MATRIX] };

const NORM = "et_vk.rms_norm.default";
const NORM_HALVES = "tetrad.rms_norm_halves";
const LINEAR = "et_vk.linear_q4gsw.default";
const LINEAR_HALVES = "tetrad.linear_halves_q4gsw";
const LINEAR_ADD = "tetrad.linear_q4gsw_add";
const SWIGLU_HALVES = "tetrad.swiglu_halves_q4gsw";

/** Operators of a layer after all passes, views and attention's stand-ins apart. */
function opsOf(
  options: PromptLayerOptions = {},
  {
    maxM = 2048,
    capabilities = GPU,
    tuning,
  }: {
    readonly maxM?: number;
    readonly capabilities?: Capabilities;
    readonly tuning?: Tuning;
  } = {},
): readonly string[] {
  const graph = joinProjections(promptLayer(maxM, options).graph, capabilities);
  return optimizeGraph(graph, capabilities, tuning)
    .nodes.map(({ op }) => op)
    .filter((op) => !op.startsWith("aten."));
}

const QKV = [NORM_HALVES, "tetrad.qkv_halves_q4gsw", LINEAR_ADD];
const SEPARATE_QKV = [NORM_HALVES, LINEAR_HALVES, LINEAR_HALVES, LINEAR_HALVES, LINEAR_ADD];
const FEED_FORWARD = [NORM_HALVES, SWIGLU_HALVES, LINEAR_HALVES];
const PLAIN = [NORM, LINEAR, LINEAR, LINEAR, LINEAR_ADD];
const PLAIN_FEED_FORWARD = [NORM, LINEAR, LINEAR, "tetrad.silu_mul", LINEAR_ADD];

describe("fuseHalves", () => {
  test("a prompt's layer passes halves from norms and SwiGLU to projections", () => {
    expect(opsOf()).toEqual([...QKV, ...FEED_FORWARD]);
  });

  test("q, k and v are one product only without biases, in whole tiles, and where they are joined", () => {
    const separate = [...SEPARATE_QKV, ...FEED_FORWARD];
    expect(opsOf({ bias: true })).toEqual(separate);
    expect(opsOf({ hiddenSize: 288 })).toEqual(separate);
    const apart = optimizeGraph(promptLayer(2048).graph, GPU).nodes.map(({ op }) => op);
    expect(apart.filter((op) => op === LINEAR_HALVES)).toHaveLength(4);
  });

  test("only where there are matrices, and rows enough", () => {
    const plain = [...PLAIN, ...PLAIN_FEED_FORWARD];
    expect(opsOf({}, { capabilities: PLAIN_GPU })).toEqual(plain);
    expect(opsOf({}, { capabilities: { ...GPU, software: true } })).toEqual(plain);
    expect(opsOf({}, { maxM: 63 })).toEqual(plain);
    expect(opsOf({}, { maxM: 64 })).toEqual([...QKV, ...FEED_FORWARD]);
  });

  test("what something else reads stays f32", () => {
    expect(opsOf({ alsoRead: "normed" })).toEqual([...PLAIN, ...FEED_FORWARD]);
    expect(opsOf({ alsoRead: "hidden" })).toEqual([
      ...QKV,
      NORM_HALVES,
      LINEAR_HALVES,
      LINEAR_HALVES,
      "tetrad.silu_mul",
      LINEAR_ADD,
    ]);
    expect(opsOf({ alsoRead: "gate" })).toContain("tetrad.silu_mul");
    expect(opsOf({ alsoRead: "gate" })).not.toContain(SWIGLU_HALVES);
  });

  test("sizes without kernels on matrices stay", () => {
    expect(opsOf({ feedForwardSize: 224 })).toEqual([...QKV, ...PLAIN_FEED_FORWARD]);
  });

  test("gate and up stay apart where the device cannot bind the weights of both at once", () => {
    // So wide that other kernels' scratch is less.
    const { graph: layer } = promptLayer(64, { hiddenSize: 512, feedForwardSize: 8512 });
    const opsWithin = (maxStorageBufferBindingSize: number) => {
      const capabilities = restrictCapabilities(GPU, { limits: { maxStorageBufferBindingSize } });
      const graph = optimizeGraph(joinProjections(layer, capabilities), capabilities);
      return planGraph(graph, capabilities).routes.map(({ op }) => op);
    };
    const both = 2 * 8512 * 256;
    expect(opsWithin(both)).toContain(SWIGLU_HALVES);
    expect(opsWithin(both - 1)).not.toContain(SWIGLU_HALVES);
  });

  test("projections stay where the device was measured to prefer tiles, and are asked for again", () => {
    const graph = joinProjections(promptLayer(2048).graph, GPU);
    const plan = planGraph(optimizeGraph(graph, GPU), GPU);
    const { tunables } = planGraph(optimizeGraph(graph, { ...GPU, subgroupMatrices: [] }), GPU);
    expect(plan.tunables.map(({ tunable }) => tunable.key).sort()).toEqual(
      tunables.map(({ tunable }) => tunable.key).sort(),
    );
    for (const { tunable, operands, count } of plan.tunables) {
      const found = tunables.find((other) => other.tunable.key === tunable.key);
      expect(operands).toEqual(found?.operands);
      expect(count).toBe(found?.count);
    }
    const gate = "linear_q4gsw N=288 K=256 g32 f16 M≤2048";
    const tuning = new Map([[gate, "tiled64"]]);
    expect(opsOf({}, { tuning })).toEqual([...QKV, ...PLAIN_FEED_FORWARD]);
    expect(opsOf({}, { tuning: new Map([[gate, "matrix"]]) })).toEqual([...QKV, ...FEED_FORWARD]);
  });

  test("takes less memory and fewer dispatches", () => {
    const { graph: layer, rows } = promptLayer(2048, { feedForwardSize: 1024 });
    const graph = joinProjections(layer, GPU);
    const values = new SymIntValues();
    values.set(rows, 2048);
    const [before, after] = [{ ...GPU, subgroupMatrices: [] }, GPU].map((capabilities) => {
      const plan = planGraph(optimizeGraph(graph, capabilities), GPU);
      const bytes = plan.slotBytes.reduce((sum, slot) => sum + slot, 0);
      const run = plan.dispatches.filter(({ grid, live }) => !grid(live(values)).includes(0));
      return { bytes, dispatches: run.length };
    });
    expect(after!.bytes).toBeLessThan(0.75 * before!.bytes);
    expect(after!.dispatches).toBeLessThan(before!.dispatches);
  });
});
