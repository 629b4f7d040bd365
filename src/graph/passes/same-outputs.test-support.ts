import { expect } from "vitest";
import type { GpuDevice } from "../../gpu/device.ts";
import { compare } from "../../kernels/testing/compare.ts";
import type { Tolerance } from "../../kernels/testing/compare.ts";
import { f16ToF32 } from "../../quant/f16.ts";
import type { Graph } from "../ir.ts";
import type { SymIntRoot } from "../symint.ts";
import { GraphRunner } from "../testing/graph-runner.ts";
import type { Elements } from "../testing/graph-runner.ts";

/** A run of a graph: its inputs in order, and the live sizes. */
export interface GraphRun {
  readonly inputs: readonly Elements[];
  readonly sizes?: ReadonlyMap<SymIntRoot, number>;
  readonly tolerance: Tolerance;
}

/**
 * Runs a graph as it is and after a pass, once or several times over the same state: the outputs must
 * agree, and not be zeros.
 */
export async function expectSameOutputs(
  gpu: GpuDevice,
  graph: Graph,
  pass: (graph: Graph) => Graph,
  ...runs: readonly GraphRun[]
): Promise<readonly [dispatchesBefore: number, dispatchesAfter: number]> {
  const before = await GraphRunner.create(gpu, graph);
  const after = await GraphRunner.create(gpu, pass(graph));
  for (const [round, { inputs, sizes, tolerance }] of runs.entries()) {
    const expected = await before.run(inputs, sizes);
    const found = await after.run(inputs, sizes);
    expect(found.length).toBe(graph.outputs.length);
    graph.outputs.forEach(({ name, dtype }, index) => {
      const numbers = (elements: Elements) =>
        dtype === "f16" ? f16ToF32(elements as Uint16Array) : elements;
      const values = numbers(found[index]!);
      const { failures, report } = compare(values, numbers(expected[index]!), tolerance);
      expect(failures, `run ${round}, "${name}": ${report}`).toBe(0);
      expect(values.some((value) => Math.abs(value) > 0.1)).toBe(true);
    });
  }
  const counts = [before.plan.dispatches.length, after.plan.dispatches.length] as const;
  before.dispose();
  after.dispose();
  return counts;
}
