import { beforeAll, describe, expect, test } from "vitest";
import { requestTestDevice } from "../../../tests/support/gpu.ts";
import type { CapabilityOverrides } from "../../gpu/capabilities.ts";
import type { GpuDevice } from "../../gpu/device.ts";
import { writesLimbs } from "../../kernels/row_projection_q4gsw/row-input.ts";
import { randomValues } from "../../kernels/testing/data.ts";
import type { Graph } from "../ir.ts";
import { decoderLayers, VOCABULARY } from "./decoder-layer.test-support.ts";
import type { LayerOptions } from "./decoder-layer.test-support.ts";
import { optimizeGraph } from "./index.ts";
import { joinProjections } from "./join-projections.ts";
import { expectSameOutputs } from "./same-outputs.test-support.ts";

const DEVICES: Readonly<Record<string, CapabilityOverrides>> = {
  "as it is": {},
  "as a GPU": { software: false },
  "as a GPU without integer dot": { software: false, integerDot: false },
  "as a GPU without subgroups": { software: false, subgroups: false },
};

/** One split, two and three; the caches between are zeros. */
const POSITIONS = [0, 1, 2, 63, 64, 150];
/** As many, of the table's ends and some in between. */
const TOKENS = [VOCABULARY - 1, 0, 77, 5, 64, 31];

interface Case extends LayerOptions {
  /** Dispatches of each layer after the passes on a device that writes limbs; 0: not counted. */
  readonly perLayer: number;
}

const CASES: Readonly<Record<string, Case>> = {
  "Llama's, an f16 cache": { layout: "interleaved", cacheType: "f16", perLayer: 5 },
  "halves, an f32 cache": { layout: "half", cacheType: "f32", perLayer: 5 },
  "of a token": { embedded: true, perLayer: 5 },
  "a key/value head a query head": { kvHeads: 4, cacheType: "f32", perLayer: 5 },
  // k and v come to attention's splits by themselves: q, k and v, their norms, rotation.
  "norms of q and k, as Qwen3": { layout: "half", qkNorm: true, perLayer: 8 },
  // The norm, three projections and the rotation.
  "biases of q, k and v, as Qwen2": { layout: "half", attentionBias: true, perLayer: 9 },
};

describe.each(Object.entries(DEVICES))("on a device %s", (_, restrict) => {
  let gpu: GpuDevice;
  beforeAll(async () => {
    gpu = await requestTestDevice({ restrict });
  });

  const optimized = (graph: Graph) =>
    optimizeGraph(joinProjections(graph, gpu.capabilities), gpu.capabilities);

  test.each(Object.entries(CASES))("%s", async (_, { perLayer, ...options }) => {
    const layers = 2;
    const { graph, position, hiddenSize } = decoderLayers({ ...options, layers });
    const runs = POSITIONS.map((at, index) => ({
      inputs: [
        Int32Array.of(at),
        options.embedded ? Int32Array.of(TOKENS[index]!) : randomValues(hiddenSize, index + 1),
      ],
      sizes: new Map([[position, at]]),
      // A cache's half has 11 bits.
      tolerance: { absolute: 1e-3, relative: 2e-3 },
    }));
    const [, after] = await expectSameOutputs(gpu, graph, optimized, ...runs);
    // The input's limbs (a token's row with them), where there are no biases, and the vocabulary.
    const start = options.attentionBias ? 0 : 1;
    if (writesLimbs(gpu.capabilities)) expect(after).toBe(start + layers * perLayer + 1);
  });
});
