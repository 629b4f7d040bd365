import { describe, expect, test } from "vitest";
import { shapeCheckpoint } from "../../tests/support/shape-checkpoint.ts";
import type { Capabilities } from "../gpu/capabilities.ts";
import { maxByteLength, specializeGraph } from "../graph/ir.ts";
import { planGraph } from "../graph/plan.ts";
import type { Plan } from "../graph/plan.ts";
import { buildModel } from "../models/index.ts";
import { planDecoder } from "./decoder-plans.ts";

/** A discrete GPU's record, as data: plans need no device. */
const GPU: Capabilities = {
  f16: true,
  subgroups: { minSize: 32, maxSize: 32 },
  integerDot: true,
  subgroupMatrices: [],
  timestamps: true,
  software: false,
  limits: {
    maxBufferSize: 2 ** 32,
    maxStorageBufferBindingSize: 2 ** 31,
    maxStorageBuffersPerShaderStage: 10,
    maxComputeWorkgroupStorageSize: 32_768,
    maxComputeInvocationsPerWorkgroup: 1024,
    maxComputeWorkgroupSizeX: 1024,
    maxComputeWorkgroupSizeY: 1024,
    maxComputeWorkgroupsPerDimension: 65_535,
    minStorageBufferOffsetAlignment: 256,
    minUniformBufferOffsetAlignment: 256,
  },
  adapter: { vendor: "", architecture: "", device: "", description: "" },
};

const bytesOfConstants = ({ constants }: Plan): number =>
  constants.reduce((sum, tensor) => sum + maxByteLength(tensor), 0);

/**
 * What a decoded token costs that needs no GPU to count: a change that adds dispatches, copies or
 * bytes shows here. Lower the numbers when a change earns it.
 */
const EXPECTED = {
  "stories-14m": { unfused: 141, step: 77 },
  "llama-3.2-1b": { unfused: 277, step: 149 },
  "llama-3.1-8b": { unfused: 549, step: 293 },
} as const;

describe("a decoded token", () => {
  test.each(Object.entries(EXPECTED))("%s", async (shape, expected) => {
    const checkpoint = shapeCheckpoint(shape as keyof typeof EXPECTED);
    const decoder = await buildModel(checkpoint, {
      contextLength: 512,
      maxSequenceLength: 512,
      cacheType: "f16",
    });
    const { step, prompt, fill } = planDecoder(decoder, GPU);
    // As built, before any pass and without the sampler's two dispatches.
    const one = specializeGraph(decoder.graph, new Map([[decoder.sequenceLength, 1]]));
    const unfused = planGraph(one, GPU);
    expect({ unfused: unfused.dispatches.length, step: step.greedy.dispatches.length }).toEqual(
      expected,
    );

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

    // Chunks before a prompt's last one never reach the output projection.
    expect(fill.dispatches.length).toBeLessThan(prompt.greedy.dispatches.length);
    expect(bytesOfConstants(fill)).toBeLessThanOrEqual(bytesOfConstants(prompt.greedy));
  });
});
