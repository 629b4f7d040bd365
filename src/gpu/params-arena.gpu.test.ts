import { beforeAll, describe, expect, test } from "vitest";
import { requestTestDevice } from "../../tests/support/gpu.ts";
import type { GpuDevice } from "./device.ts";
import { defineKernel } from "./kernel.ts";
import type { CompiledKernel } from "./pipeline-cache.ts";
import { ParamsArena } from "./params-arena.ts";

const kernel = defineKernel({
  label: "store_params",
  parts: [
    `
struct Params { at: u32, whole: i32, real: f32 }
@group(0) @binding(0) var<storage, read_write> out: array<vec2<f32>>;
@group(0) @binding(1) var<uniform> params: Params;
@compute @workgroup_size(1) fn main() {
  out[params.at] = vec2<f32>(f32(params.whole), params.real);
}`,
  ],
});

const VALUES = [
  { at: 0, whole: -3, real: 0.5 },
  { at: 2, whole: 7, real: -1.25 },
];

describe("ParamsArena", () => {
  let gpu: GpuDevice;
  beforeAll(async () => {
    gpu = await requestTestDevice();
  });

  async function run(maxImmediateSize: number): Promise<number[]> {
    const compiled = await gpu.pipelines.get(kernel, { maxImmediateSize });
    expect(compiled.immediates).toBe(maxImmediateSize > 0);
    return dispatch([compiled, compiled]);
  }

  async function dispatch(compiled: readonly CompiledKernel[]): Promise<number[]> {
    const params = new ParamsArena(gpu, "test.params", compiled);
    const out = gpu.createStorageBuffer("out", 24);
    const read = gpu.createBuffer("read", 24, GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST);
    const encoder = gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (const slot of compiled.keys()) params.update(slot, VALUES[slot]!);
    params.flush();
    for (const [slot, { pipeline }] of compiled.entries()) {
      pass.setPipeline(pipeline);
      const group = params.createBindGroup(slot, "test", () => ({ buffer: out }));
      pass.setBindGroup(0, group);
      params.encode(pass, slot);
      pass.dispatchWorkgroups(1);
    }
    pass.end();
    encoder.copyBufferToBuffer(out, 0, read, 0, 24);
    gpu.queue.submit([encoder.finish()]);
    await read.mapAsync(GPUMapMode.READ);
    const values = [...new Float32Array(read.getMappedRange())];
    params.dispose();
    gpu.destroyBuffer(out);
    gpu.destroyBuffer(read);
    return values;
  }

  test("each dispatch has its own, in a uniform", async () => {
    expect(await run(0)).toEqual([-3, 0.5, 0, 0, 7, -1.25]);
  });

  test("each dispatch has its own where only some kernels' fit immediates", async () => {
    const [immediates, uniform] = await Promise.all([
      gpu.pipelines.get(kernel),
      gpu.pipelines.get(kernel, { maxImmediateSize: 8 }),
    ]);
    expect([immediates.immediates, uniform.immediates]).toEqual([true, false]);
    expect(await dispatch([immediates, uniform])).toEqual([-3, 0.5, 0, 0, 7, -1.25]);
    expect(await dispatch([uniform, immediates])).toEqual([-3, 0.5, 0, 0, 7, -1.25]);
  });

  test("a kernel compiled with constants needs none", async () => {
    const [constants] = VALUES;
    const compiled = await gpu.pipelines.get(kernel, { constants });
    expect(compiled.immediates).toBe(false);
    expect(compiled.bindings.map(({ name }) => name)).toEqual(["out"]);
    expect(await dispatch([compiled])).toEqual([-3, 0.5, 0, 0, 0, 0]);
  });

  test("each dispatch has its own, as immediates", async () => {
    // Every implementation under test has them; one without would have nothing to test here.
    const { maxImmediateSize } = gpu.capabilities.limits;
    expect(maxImmediateSize).toBeGreaterThanOrEqual(64);
    expect(await run(maxImmediateSize)).toEqual([-3, 0.5, 0, 0, 7, -1.25]);
  });
});
