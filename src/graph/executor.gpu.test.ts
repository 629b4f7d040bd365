import { beforeAll, describe, expect, test } from "vitest";
import { requestTestDevice } from "../../tests/support/gpu.ts";
import type { GpuDevice } from "../gpu/device.ts";
import { defineKernel } from "../gpu/kernel.ts";
import { ReadbackRing } from "../gpu/readback-ring.ts";
import { NO_WORK } from "../gpu/work.ts";
import { BufferSet } from "./buffer-set.ts";
import { GraphBuilder } from "./builder.ts";
import { ConstantStore } from "./constant-store.ts";
import { Executor } from "./executor.ts";
import type { Tensor } from "./ir.ts";
import { planGraph } from "./plan.ts";
import type { Plan } from "./plan.ts";
import { symIntRoot, SymIntValues } from "./symint.ts";

const rows = symIntRoot("rows", 1, 8);
const other = symIntRoot("other", 1, 8);

/** (x + x) · y, whose first operation depends on one root and whose second on another as well. */
function build() {
  const graph = new GraphBuilder("test");
  const x = graph.input("x", "f32", [rows, 4]);
  const y = graph.input("y", "f32", [other, 1, 4]);
  const sum = graph.node("aten.add.Tensor", "sum", x, x, 1);
  graph.output(graph.node("aten.mul.Tensor", "product", sum, y));
  return { graph: graph.build(), x, y };
}

/** The plan with a count of how often each dispatch's sizes were computed. */
function counted(plan: Plan): { readonly plan: Plan; readonly counts: number[] } {
  const counts = plan.dispatches.map(() => 0);
  const dispatches = plan.dispatches.map((dispatch, index) => ({
    ...dispatch,
    live: (values: SymIntValues) => {
      counts[index]! += 1;
      return dispatch.live(values);
    },
  }));
  return { plan: { ...plan, dispatches }, counts };
}

describe("Executor.update", () => {
  let gpu: GpuDevice;
  beforeAll(async () => {
    gpu = await requestTestDevice();
  });

  async function prepare() {
    const { graph } = build();
    const { plan, counts } = counted(planGraph(graph, gpu.capabilities));
    const buffers = new BufferSet(gpu, "test", new ConstantStore(gpu));
    buffers.allocate([plan]);
    return { executor: await Executor.prepare(gpu, plan, buffers), counts };
  }

  test("computes sizes anew only where a value they depend on changed", async () => {
    const { executor, counts } = await prepare();
    const values = new SymIntValues();
    const update = (r: number, o: number) => {
      values.set(rows, r);
      values.set(other, o);
      executor.update(values);
      return [...counts];
    };
    expect(update(3, 2)).toEqual([1, 1]);
    expect(update(3, 2)).toEqual([1, 1]);
    expect(update(3, 5)).toEqual([1, 2]);
    expect(update(8, 5)).toEqual([2, 3]);
    // Back to a value seen before is a change like any other.
    expect(update(3, 5)).toEqual([3, 4]);
    executor.dispose();
  });

  test("a refused value leaves the last one, and nothing is computed", async () => {
    const { executor, counts } = await prepare();
    const values = new SymIntValues();
    values.set(rows, 3);
    values.set(other, 1);
    executor.update(values);
    for (const bad of [0, 9, 2 ** 31, 1.5]) expect(() => values.set(rows, bad)).toThrow();
    executor.update(values);
    expect(counts).toEqual([1, 1]);
    executor.dispose();
  });

  test("sizes that cannot be computed leave the update to be tried again", async () => {
    const { executor, counts } = await prepare();
    const values = new SymIntValues();
    values.set(rows, 3);
    expect(() => executor.update(values)).toThrow(/other: no value was set/);
    values.set(other, 2);
    executor.update(values);
    expect(counts[1]).toBeGreaterThanOrEqual(1);
    executor.dispose();
  });
});

describe("Executor.prepare", () => {
  let gpu: GpuDevice;
  beforeAll(async () => {
    gpu = await requestTestDevice();
  });

  test("a kernel that no constants compile with is given its Params", async () => {
    const kernel = defineKernel({
      label: "divide",
      parts: [
        `
struct Params { by: u32, otherwise: u32 }
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<uniform> params: Params;
@compute @workgroup_size(1) fn main() {
  if (params.by > 0u) { out[0] = 8u / params.by; } else { out[0] = params.otherwise; }
}`,
      ],
    });
    const out: Tensor = {
      kind: "tensor",
      name: "out",
      dtype: "i32",
      dims: [1],
      storage: { kind: "state" },
    };
    const constantParams = { by: 0, otherwise: 7 };
    await expect(gpu.pipelines.get(kernel, { constants: constantParams })).rejects.toThrow();
    const plan: Plan = {
      name: "test",
      dispatches: [
        {
          label: "divide",
          kernel,
          bindings: { out: { kind: "tensor", tensor: out, byteOffset: 0 } },
          live: () => ({}),
          params: () => constantParams,
          constantParams,
          grid: () => [1, 1, 1],
          work: () => NO_WORK,
        },
      ],
      slotBytes: [],
      tensors: [out],
      constants: [],
      inputs: [],
      outputs: [out],
      routes: [],
      tunables: [],
    };
    const buffers = new BufferSet(gpu, "test", new ConstantStore(gpu));
    buffers.allocate([plan]);
    const executor = await Executor.prepare(gpu, plan, buffers);
    const results = new ReadbackRing(gpu, "test.out", 4);
    executor.update(new SymIntValues());
    const encoder = gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    executor.encode(pass);
    pass.end();
    const readback = results.copy(encoder, buffers.tensor(out), 0, 4);
    gpu.queue.submit([encoder.finish()]);
    expect([...new Uint32Array(await readback.read())]).toEqual([7]);
    executor.dispose();
    results.dispose();
    buffers.dispose();
  });
});
