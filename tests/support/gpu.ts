import { afterAll } from "vitest";
import { GpuDevice } from "../../src/gpu/device.ts";
import type { DeviceOptions } from "../../src/gpu/device.ts";
import { findGpu } from "../../src/platform/node/gpu.ts";

/** Which adapter this run is about; the Vitest configuration sets it. */
const name = process.env["TETRAD_TEST_ADAPTER"] ?? "";

/** Toggles to run it with, for the tests of kernels' own bounds. */
const dawnFeatures = process.env["TETRAD_TEST_DAWN_FEATURES"] ?? "";

const describe = ({ vendor, architecture, device, description }: GPUAdapterInfo): string =>
  [vendor, architecture, device, description].join(" ");

/**
 * A device on the adapter under test. A missing adapter fails the tests. It is drained and
 * destroyed after the test file.
 */
export async function requestTestDevice(options: DeviceOptions = {}): Promise<GpuDevice> {
  const { gpu, adapter } = await findGpu({
    forceSoftware: name === "swiftshader",
    dawnFeatures: dawnFeatures.split(",").filter(Boolean),
  });
  // Without a Vulkan loader, say, another adapter would be found and pass for this one.
  if (name.startsWith("lavapipe") && !/llvmpipe/i.test(describe(adapter.info))) {
    throw new Error(`tests: the adapter is ${describe(adapter.info)}; "${name}" needs lavapipe`);
  }
  const device = await GpuDevice.fromAdapter(adapter, gpu.wgslLanguageFeatures, options);
  device.device.addEventListener("uncapturederror", ({ error }) => {
    throw error;
  });
  afterAll(() => device.dispose());
  return device;
}
