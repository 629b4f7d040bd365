import { beforeAll, expect, test } from "vitest";
import { requestTestDevice } from "../../../tests/support/gpu.ts";
import type { Capabilities } from "../../gpu/capabilities.ts";
import type { GpuDevice } from "../../gpu/device.ts";
import {
  emulatedMatrixCapabilities,
  emulateMatrices,
} from "../../kernels/testing/emulate-matrices.ts";
import { randomValues } from "../../kernels/testing/data.ts";
import type { Graph } from "../ir.ts";
import { planGraph } from "../plan.ts";
import type { Plan } from "../plan.ts";
import { GraphRunner } from "../testing/graph-runner.ts";
import { optimizeGraph } from "./index.ts";
import { joinProjections } from "./join-projections.ts";
import { HIDDEN_SIZE, promptLayer } from "./prompt-layer.test-support.ts";

let gpu: GpuDevice;
/** With subgroup matrices, the adapter's own or emulated; undefined where it lacks what that needs. */
let capabilities: Capabilities | undefined;
beforeAll(async () => {
  gpu = await requestTestDevice();
  capabilities =
    gpu.capabilities.subgroupMatrices.length > 0
      ? gpu.capabilities
      : emulatedMatrixCapabilities(gpu.capabilities, false);
});

function planFor(graph: Graph, available: Capabilities): Plan {
  const plan = planGraph(graph, available);
  if (available === gpu.capabilities) return plan;
  const dispatches = plan.dispatches.map((dispatch) => ({
    ...dispatch,
    kernel: emulateMatrices(dispatch.kernel),
  }));
  return { ...plan, dispatches };
}

test("a prompt's layer gives the same to the bit, with many rows and with few", async ({
  skip,
}) => {
  skip(capabilities === undefined, "the device lacks what subgroup matrices need");
  const available = capabilities!;
  const { graph: layer, rows } = promptLayer(96);
  const graph = joinProjections(layer, available);
  const fused = optimizeGraph(graph, available);
  const plain = optimizeGraph(graph, { ...available, subgroupMatrices: [] });
  const before = await GraphRunner.create(gpu, plain, planFor(plain, available));
  const after = await GraphRunner.create(gpu, fused, planFor(fused, available));
  expect(fused.nodes.map(({ op }) => op)).toContain("tetrad.qkv_halves_q4gsw");
  expect(fused.nodes.map(({ op }) => op)).toContain("tetrad.swiglu_halves_q4gsw");
  for (const M of [70, 20, 33]) {
    const x = randomValues(M * HIDDEN_SIZE, M);
    const sizes = new Map([[rows, M]]);
    const [expected, found] = [await before.run([x], sizes), await after.run([x], sizes)];
    expect(found).toEqual(expected);
    expect(found[0]!.some((value) => Math.abs(value) > 0.1)).toBe(true);
    expect(found[0]!.every((value) => Number.isFinite(value))).toBe(true);
  }
  before.dispose();
  after.dispose();
});
