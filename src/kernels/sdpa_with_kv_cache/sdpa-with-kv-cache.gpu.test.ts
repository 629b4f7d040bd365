import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { requestTestDevice } from "../../../tests/support/gpu.ts";
import { testKernelSuite } from "../../../tests/support/kernel-suite.ts";
import { restrictCapabilities } from "../../gpu/capabilities.ts";
import { GpuDevice } from "../../gpu/device.ts";
import { findGpu } from "../../platform/node/gpu.ts";
import { compare } from "../testing/compare.ts";
import { runReplay, sdpaReplays } from "./sdpa-with-kv-cache.replay.ts";
import type { SdpaReplay } from "./sdpa-with-kv-cache.replay.ts";
import { expectSdpaRoute, SDPA_TOLERANCE } from "./sdpa-with-kv-cache.cases.ts";
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

describe("sdpa_with_kv_cache over one cache", () => {
  let gpu: GpuDevice;
  beforeAll(async () => {
    gpu = await requestTestDevice();
  });

  for (const replay of sdpaReplays) {
    test(`${replay.name} is right at every step`, async () => {
      const tolerance = SDPA_TOLERANCE[replay.cacheType];
      for (const step of await runReplay(gpu, replay)) {
        const { report } = compare(step.actual, step.expected, tolerance);
        expect(report, `step ${step.index}, ${step.route}`).toBe("");
      }
    });
  }

  // Controls: what a replay must be able to see.
  const divergence = async (replay: SdpaReplay, fault: "pinned position" | "fresh cache") => {
    const { absolute, relative } = SDPA_TOLERANCE[replay.cacheType];
    const gross = { absolute: 100 * absolute, relative: 100 * relative };
    const steps = await runReplay(gpu, replay, fault);
    return steps.map(({ actual, expected }) => compare(actual, expected, gross).failures > 0);
  };
  const decode = sdpaReplays.find(({ name }) => name.startsWith("decode"));
  for (const fault of ["pinned position", "fresh cache"] as const) {
    test(`a ${fault} diverges at every step but the first`, async () => {
      expect(decode).toBeDefined();
      if (decode === undefined) return;
      const diverged = await divergence(decode, fault);
      expect(diverged).toEqual(diverged.map((_, step) => step > 0));
    });
  }

  test("prefill and decoding take their own routes", async () => {
    const replay = sdpaReplays.find(({ name }) => name === "small_d");
    expect(replay).toBeDefined();
    if (replay === undefined) return;
    const split = expectSdpaRoute("one")(gpu.capabilities);
    expect((await runReplay(gpu, replay)).map(({ route }) => route)).toEqual(
      replay.steps.map((S) => (S === 1 ? split : "sdpa_stream")),
    );
  });
});

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
