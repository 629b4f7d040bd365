import { expect, test } from "vitest";
import { DeviceError } from "../errors.ts";
import type { Capabilities } from "../gpu/capabilities.ts";
import { GraphBuilder } from "./builder.ts";
import { planGraph } from "./plan.ts";

/** A device of WebGPU's default limits, but for the bytes it binds at once. */
function capabilities(maxStorageBufferBindingSize: number): Capabilities {
  return {
    f16: false,
    subgroups: undefined,
    integerDot: false,
    subgroupMatrices: [],
    timestamps: false,
    software: true,
    unrolls: false,
    limits: {
      maxBufferSize: 2 ** 28,
      maxStorageBufferBindingSize,
      maxStorageBuffersPerShaderStage: 8,
      maxComputeWorkgroupStorageSize: 16384,
      maxComputeInvocationsPerWorkgroup: 256,
      maxComputeWorkgroupSizeX: 256,
      maxComputeWorkgroupSizeY: 256,
      maxComputeWorkgroupsPerDimension: 65535,
      maxImmediateSize: 64,
      minStorageBufferOffsetAlignment: 256,
      minUniformBufferOffsetAlignment: 256,
    },
    adapter: { vendor: "", architecture: "", device: "", description: "" },
  };
}

test("a constant that must be split is refused by operators that bind it whole", () => {
  const g = new GraphBuilder("test");
  const data = {
    rows: 1024,
    storedRowBytes: 16,
    planeRowBytes: [16],
    read: () => Promise.reject(new Error("not read")),
  };
  const table = g.constant("table", "f32", [1024, 4], data);
  g.output(g.node("aten.embedding.default", "out", table, g.input("i", "i32", [3]), -1));
  const graph = g.build();
  expect(planGraph(graph, capabilities(16384)).constants).toEqual([table]);
  expect(() => planGraph(graph, capabilities(16383))).toThrow(DeviceError);
  expect(() => planGraph(graph, capabilities(16383))).toThrow(/aten\.embedding.*"table" has 16384/);
});
