import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testKernelSuite } from "../../../tests/support/kernel-suite.ts";
import { restrictCapabilities } from "../../gpu/capabilities.ts";
import { GpuDevice } from "../../gpu/device.ts";
import { findGpu } from "../../platform/node/gpu.ts";
import { sdpaSuite } from "./sdpa-with-kv-cache.suite.ts";
import { sdpaWithKvCache } from "./sdpa-with-kv-cache.ts";

testKernelSuite(sdpaSuite);

/** A device nobody asked for more than WebGPU promises: 16 KiB of workgroup memory, say. */
async function requestDefaultDevice(): Promise<GpuDevice> {
  const forceSoftware = process.env["TETRAD_TEST_ADAPTER"] === "swiftshader";
  const { gpu, adapter } = await findGpu({ forceSoftware });
  const requiredFeatures: GPUFeatureName[] = adapter.features.has("subgroups") ? ["subgroups"] : [];
  const device = await adapter.requestDevice({ requiredFeatures });
  const owner = GpuDevice.fromDevice(device, gpu.wgslLanguageFeatures);
  afterAll(async () => {
    await owner.dispose();
    device.destroy();
    await device.lost;
  });
  return owner;
}

describe("sdpa_with_kv_cache on a device with WebGPU's default limits", () => {
  let gpu: GpuDevice;
  beforeAll(async () => {
    gpu = await requestDefaultDevice();
  });

  const widest = [
    { heads: 16, kvHeads: 1, headSize: 256 },
    { heads: 8, kvHeads: 1, headSize: 64 },
    { heads: 8, kvHeads: 1, headSize: 4 },
  ];
  for (const { heads, kvHeads, headSize } of widest) {
    test(`${heads}/${kvHeads}x${headSize} compiles`, async () => {
      const shape = { heads, kvHeads, headSize, cacheLength: 8192, scale: 1 };
      const plain = restrictCapabilities(gpu.capabilities, { subgroups: false });
      const kernels = [gpu.capabilities, plain].flatMap((capabilities) =>
        (["one", "many"] as const).flatMap((rows) =>
          sdpaWithKvCache({ ...shape, cacheType: "f32", rows }, capabilities).dispatches.map(
            ({ kernel }) => kernel,
          ),
        ),
      );
      const compiled = await Promise.all(kernels.map((kernel) => gpu.pipelines.get(kernel)));
      expect(compiled.length).toBe(8);
    });
  }
});
