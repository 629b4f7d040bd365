import { describe, expect, test } from "vitest";
import { GPU } from "../../tests/support/gpu-record.ts";
import { randomCheckpoint } from "../bench/random-checkpoint.ts";
import { modelShape } from "../bench/shapes.ts";
import { restrictCapabilities } from "../gpu/capabilities.ts";
import { maxByteLength, specializeGraph } from "../graph/ir.ts";
import { planGraph } from "../graph/plan.ts";
import type { Plan } from "../graph/plan.ts";
import { filtersOf } from "../graph/sampling.ts";
import { SymIntValues } from "../graph/symint.ts";
import { buildModel } from "../models/index.ts";
import { allPlans, planDecoder } from "./decoder-plans.ts";

const bytesOfConstants = ({ constants }: Plan): number =>
  constants.reduce((sum, tensor) => sum + maxByteLength(tensor), 0);

/**
 * What a decoded token costs that needs no GPU to count: a change that adds dispatches, copies or
 * bytes shows here. Lower the numbers when a change earns it. A step is five dispatches a layer, and
 * three more: embedding, the vocabulary's projection with its best tokens, and the choice among those. After
 * a long context attention's splits are joined by another in each layer, where there is much to join.
 */
const EXPECTED = {
  "stories-14m": { unfused: 141, step: 43, long: 43 },
  "llama-3.2-1b": { unfused: 277, step: 83, long: 83 },
  "llama-3.1-8b": { unfused: 549, step: 163, long: 195 },
} as const;

describe("a decoded token", () => {
  test.each(Object.entries(EXPECTED))("%s", async (shape, expected) => {
    const checkpoint = randomCheckpoint(modelShape(shape));
    const decoder = await buildModel(checkpoint, {
      contextLength: 4096,
      maxSequenceLength: 512,
      cacheType: "f16",
    });
    const { step, prompt, fill } = planDecoder(decoder, GPU);
    // As built, before any pass and without the sampler's two dispatches.
    const one = specializeGraph(decoder.graph, new Map([[decoder.sequenceLength, 1]]));
    const unfused = planGraph(one, GPU);
    const position = 300;
    const values = new SymIntValues();
    const dispatchesAt = (at: number) => {
      values.set(decoder.position, at);
      return step.greedy.dispatches.filter(({ grid, live }) => !grid(live(values)).includes(0));
    };
    expect({
      unfused: unfused.dispatches.length,
      step: dispatchesAt(position).length,
      long: dispatchesAt(4000).length,
    }).toEqual(expected);

    // No operator only moves bytes: views and the last token's row are free.
    const moves = step.greedy.routes.filter(({ op }) => /copy|clone|cat/.test(op));
    expect(moves).toEqual([]);

    // Every weight is read once; nothing else is constant but norms and rotary tables.
    const weights = [...checkpoint.tensors.values()].reduce(
      (sum, { byteLength }) => sum + byteLength,
      0,
    );
    expect(bytesOfConstants(step.greedy)).toBeGreaterThan(0.99 * weights);
    expect(bytesOfConstants(step.greedy)).toBeLessThan(1.01 * weights + 2 ** 20);

    // Nor is anything else of size moved: a token's dispatches together touch the weights, all but
    // the embedding's other rows, the caches up to the position, and less than a hundredth more.
    const { layers, kvHeads, headSize, vocabularySize, hiddenSize } = checkpoint.hyperparameters;
    const work = dispatchesAt(position).map((dispatch) => dispatch.work(values));
    const bytes = work.reduce((sum, dispatch) => sum + dispatch.bytes, 0);
    const caches = 2 * 2 * layers * kvHeads * headSize * (position + 1);
    const embedding = checkpoint.tensors.has("output.weight")
      ? vocabularySize * (hiddenSize / 2 + hiddenSize / 16)
      : 0;
    const least = weights - embedding + caches;
    expect(bytes).toBeGreaterThan(least);
    expect(bytes).toBeLessThan(1.01 * least + 2 ** 19);
    // Two operations a weight, four an element of the queries and a position.
    const { heads } = checkpoint.hyperparameters;
    const parameters = (weights - embedding) / (18 / 32);
    const operations = work.reduce((sum, dispatch) => sum + dispatch.operations, 0);
    const attention = 4 * layers * heads * headSize * (position + 1);
    expect(operations / (2 * parameters + attention)).toBeCloseTo(1, 2);

    // Chunks before a prompt's last one never reach the output projection.
    expect(fill.dispatches.length).toBeLessThan(prompt.greedy.dispatches.length);
    expect(bytesOfConstants(fill)).toBeLessThanOrEqual(bytesOfConstants(prompt.greedy));
  });
});

test("a sampled token leaves out passes of filters that are off", async () => {
  const decoder = await buildModel(randomCheckpoint(modelShape("stories-14m")), {
    contextLength: 512,
    maxSequenceLength: 512,
    cacheType: "f16",
  });
  const { step, state } = planDecoder(decoder, GPU);
  const values = new SymIntValues();
  values.set(decoder.position, 300);
  const dispatchesWith = (settings: Parameters<typeof filtersOf>[0]) => {
    values.set(state.filters, filtersOf(settings));
    return step.sampled.dispatches.filter(({ grid, live }) => !grid(live(values)).includes(0))
      .length;
  };
  // The greedy choice is one dispatch; sampling's weights and its choice are two.
  const least = EXPECTED["stories-14m"].step + 1;
  expect(dispatchesWith({})).toBe(least);
  expect(dispatchesWith({ topP: 0.9 })).toBe(least + 4);
  expect(dispatchesWith({ topK: 40 })).toBe(least + 4);
  expect(dispatchesWith({ topK: 40, topP: 0.9, minP: 0.1 })).toBe(least + 8);
});

describe("on a device that binds no more storage buffers than WebGPU guarantees", () => {
  const guaranteed = 8;
  const limits = { maxStorageBuffersPerShaderStage: guaranteed };

  test.each(["stories-14m", "qwen3-0.6b"])("no kernel of %s needs more", async (shape) => {
    const decoder = await buildModel(randomCheckpoint(modelShape(shape)), {
      contextLength: 512,
      maxSequenceLength: 512,
      cacheType: "f16",
    });
    const bound = allPlans(planDecoder(decoder, restrictCapabilities(GPU, { limits }))).flatMap(
      ({ dispatches }) =>
        dispatches.map(({ kernel }) => ({
          kernel: kernel.label,
          bindings: kernel.bindings.filter(({ type }) => type !== "uniform").length,
        })),
    );
    expect(bound.filter(({ bindings }) => bindings > guaranteed)).toEqual([]);
  });
});
