import { afterAll } from "vitest";
import { GpuDevice } from "../../src/gpu/device.ts";
import type { DeviceOptions } from "../../src/gpu/device.ts";
import { findGpu } from "../../src/platform/node/gpu.ts";

/** Which adapter this run is about; the Vitest configuration sets it. */
const name = process.env["TETRAD_TEST_ADAPTER"] ?? "";

/**
 * A device on the adapter under test. A missing adapter fails the tests. It is drained and
 * destroyed after the test file.
 */
export async function requestTestDevice(options: DeviceOptions = {}): Promise<GpuDevice> {
  const { gpu, adapter } = await findGpu({ forceSoftware: name === "swiftshader" });
  const device = await GpuDevice.fromAdapter(adapter, gpu.wgslLanguageFeatures, options);
  device.device.addEventListener("uncapturederror", ({ error }) => {
    throw error;
  });
  afterAll(() => device.dispose());
  return device;
}
