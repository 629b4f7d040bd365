import { beforeAll, describe, expect, test } from "vitest";
import { requestTestDevice } from "../../tests/support/gpu.ts";
import { RequestError } from "../errors.ts";
import type { GpuDevice } from "./device.ts";
import { defineKernel } from "./kernel.ts";
import type { Grid } from "./kernel.ts";
import { DispatchClock, QueryPool } from "./query-pool.ts";

const SOURCE = `
@group(0) @binding(0) var<storage, read_write> data: array<u32>;
override SIZE: u32 = 64u;
@compute @workgroup_size(SIZE) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x < arrayLength(&data)) { data[id.x] += 1u; }
}`;
const kernel = defineKernel({ label: "count_up", parts: [SOURCE], overrides: { SIZE: 32 } });

describe("QueryPool", () => {
  let gpu: GpuDevice;
  beforeAll(async () => {
    gpu = await requestTestDevice();
    // Every adapter under test has timestamps; one without would have nothing to test here.
    expect(gpu.capabilities.timestamps).toBe(true);
  });

  async function submit(pool: QueryPool, grids: readonly Grid[]) {
    const { pipeline, layout } = await gpu.pipelines.get(kernel);
    const buffer = gpu.createStorageBuffer("data", 4096);
    const bindGroup = gpu.device.createBindGroup({
      layout,
      entries: [{ binding: 0, resource: { buffer } }],
    });
    const encoder = gpu.device.createCommandEncoder();
    for (const grid of grids) {
      const pass = encoder.beginComputePass({ timestampWrites: pool.bracket(kernel, grid) });
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, bindGroup);
      pass.dispatchWorkgroups(...grid);
      pass.end();
    }
    const readback = pool.resolve(encoder);
    gpu.queue.submit([encoder.finish()]);
    return readback;
  }

  test("times what ran, submit after submit", async () => {
    const pool = new QueryPool(gpu, "test", 3);
    const grids: Grid[] = [
      [1, 1, 1],
      [16, 2, 1],
      [4, 1, 1],
    ];
    // The second is queued before the first is read.
    const readbacks = [await submit(pool, grids), await submit(pool, grids.slice(0, 2))];
    const clock = new DispatchClock();
    const records = [];
    for (const readback of readbacks) records.push(...clock.measure(await readback.read()));
    expect(records.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4]);
    expect(records.map(({ grid }) => grid)).toEqual([...grids, ...grids.slice(0, 2)]);
    for (const record of records) {
      expect(record).toMatchObject({ kernel: "count_up", workgroup: [32, 1, 1] });
      expect(record.durationNs).toBeGreaterThanOrEqual(0);
    }
    expect(records.at(-1)!.endNs).toBeGreaterThan(0);
    pool.dispose();
  });

  test("holds more than one query set", async () => {
    const count = 2050;
    const pool = new QueryPool(gpu, "test", count);
    const readback = await submit(
      pool,
      Array.from({ length: count }, () => [1, 1, 1] as const),
    );
    const timed = await readback.read();
    expect(timed.length).toBe(count);
    for (const { begin, end } of timed) {
      expect(begin).toBeGreaterThan(0n);
      expect(end).toBeGreaterThanOrEqual(begin);
    }
    expect(timed.at(-1)!.end).toBeGreaterThan(timed[0]!.end);
    pool.dispose();
  });

  test("refuses more than its capacity", async () => {
    const pool = new QueryPool(gpu, "small", 2);
    pool.bracket(kernel, [1, 1, 1]);
    pool.bracket(kernel, [1, 1, 1]);
    expect(() => pool.bracket(kernel, [1, 1, 1])).toThrow(RequestError);
    expect(() => pool.bracket(kernel, [1, 1, 1])).toThrow(/"count_up" is dispatch 3.* holds 2/);
    pool.dispose();
  });

  test("an empty submit has no times", async () => {
    const pool = new QueryPool(gpu, "test", 2);
    expect(await (await submit(pool, [])).read()).toEqual([]);
    pool.dispose();
  });
});
