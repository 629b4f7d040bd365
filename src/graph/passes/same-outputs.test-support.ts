import { expect } from "vitest";
import type { GpuDevice } from "../../gpu/device.ts";
import { compare } from "../../kernels/testing/compare.ts";
import type { Tolerance } from "../../kernels/testing/compare.ts";
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

/** Runs a graph as it is and after a pass: the outputs must agree, and not be zeros. */
export async function expectSameOutputs(
  gpu: GpuDevice,
  graph: Graph,
  pass: (graph: Graph) => Graph,
  { inputs, sizes, tolerance }: GraphRun,
): Promise<readonly [dispatchesBefore: number, dispatchesAfter: number]> {
  const before = await GraphRunner.create(gpu, graph);
  const after = await GraphRunner.create(gpu, pass(graph));
  const [expected, found] = [await before.run(inputs, sizes), await after.run(inputs, sizes)];
  expect(found.length).toBe(graph.outputs.length);
  found.forEach((values, index) => {
    const { failures, report } = compare(values, expected[index]!, tolerance);
    expect(failures, report).toBe(0);
    expect(values.some((value) => Math.abs(value) > 0.1)).toBe(true);
  });
  const counts = [before.plan.dispatches.length, after.plan.dispatches.length] as const;
  before.dispose();
  after.dispose();
  return counts;
}
