import { beforeAll, describe, expect, test } from "vitest";
import { requestTestDevice } from "../../../tests/support/gpu.ts";
import type { GpuDevice } from "../../gpu/device.ts";
import { compare } from "../testing/compare.ts";
import { expectSdpaRoute, SDPA_TOLERANCE } from "./sdpa-with-kv-cache.cases.ts";
import { runReplay, sdpaReplays } from "./sdpa-with-kv-cache.replay.ts";
import type { SdpaReplay } from "./sdpa-with-kv-cache.replay.ts";

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
