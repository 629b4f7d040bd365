import { beforeAll, describe, expect, test } from "vitest";
import { requestTestDevice } from "../../../tests/support/gpu.ts";
import type { CapabilityOverrides } from "../../gpu/capabilities.ts";
import type { GpuDevice } from "../../gpu/device.ts";
import { isFused } from "../../kernels/row_projection_q4gsw/row-input.ts";
import { encodeSampling } from "../../kernels/sample/sample.ts";
import { randomValues } from "../../kernels/testing/data.ts";
import type { Graph } from "../ir.ts";
import { fuseChoice } from "./fuse-choice.ts";
import { choiceHead, HEAD_SIZE } from "./choice-head.test-support.ts";
import type { HeadOptions } from "./choice-head.test-support.ts";
import { optimizeGraph } from "./index.ts";
import { expectSameOutputs } from "./same-outputs.test-support.ts";

const DEVICES: Readonly<Record<string, CapabilityOverrides>> = {
  "as it is": {},
  "as a GPU": { software: false },
  "as a GPU without integer dot": { software: false, integerDot: false },
};

const CASES: Readonly<Record<string, HeadOptions>> = {
  "a row": {},
  "a row that may be limbs, viewed": { limbs: true, viewed: true },
  "a row, sampled": { mode: "sampled" },
};

const SETTINGS = {
  greedy: { temperature: 0, repetitionPenalty: 1.5 },
  sampled: { temperature: 0.8, topK: 40, topP: 0.9, repetitionPenalty: 1.5, seed: 7 },
} as const;

describe.each(Object.entries(DEVICES))("on a device %s", (_, restrict) => {
  let gpu: GpuDevice;
  beforeAll(async () => {
    gpu = await requestTestDevice({ restrict });
  });

  test.each(Object.entries(CASES))("%s: the same tokens, one after another", async (_, options) => {
    const settings = encodeSampling(SETTINGS[options.mode ?? "greedy"]);
    const sampling = new Int32Array(settings.buffer);
    // Each run sees what those before it have chosen.
    const runs = [1, 2, 3, 4, 1, 2].map((seed, index) => ({
      inputs: [randomValues(HEAD_SIZE, seed), sampling, Int32Array.of(index)],
      tolerance: { absolute: 1e-4, relative: 1e-6 },
    }));
    const optimized = (graph: Graph) =>
      fuseChoice(optimizeGraph(graph, gpu.capabilities), gpu.capabilities);
    const [before, after] = await expectSameOutputs(gpu, choiceHead(options), optimized, ...runs);
    if (!isFused({ K: HEAD_SIZE, groupSize: 32 }, gpu.capabilities)) return;
    // Limbs and logits, then the choice; the norm is no dispatch, nor is the sampler's first pass.
    expect(after).toBeLessThan(before);
  });
});
