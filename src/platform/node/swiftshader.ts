import { constants } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { DeviceError } from "../../errors.ts";
import { unpackChromium } from "./packaged-chromium.ts";

const LOADER = "libvulkan.so.1";

/** glibc's RTLD_NODELETE, which Node's constants lack: keep the library after a failed dlopen. */
const RTLD_NODELETE = 0x1000;

/**
 * Makes SwiftShader the Vulkan driver of this process. Must run before Dawn looks for adapters
 * again; a Vulkan instance made earlier is not affected.
 *
 * Dawn opens `libvulkan.so.1` by name, and the dynamic linker answers with a library of that soname
 * that is already loaded. So the loader is opened here by path. Node then finds that it is no
 * addon and closes it, which RTLD_NODELETE makes harmless; the error it throws is expected.
 */
export async function useSwiftShader(): Promise<void> {
  const folder = await unpackChromium("swiftshader", ["swiftshader.tar.br"]);
  const loader = join(folder, LOADER);
  try {
    process.dlopen({ exports: {} }, loader, constants.dlopen.RTLD_NOW | RTLD_NODELETE);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (!message.includes("did not self-register")) {
      throw new DeviceError("unavailable", `gpu: cannot load ${loader}: ${message}`, {
        cause: error,
      });
    }
  }
  const icd = join(folder, "vk_swiftshader_icd.json");
  // The second is the name older Vulkan loaders know.
  process.env["VK_DRIVER_FILES"] = icd;
  process.env["VK_ICD_FILENAMES"] = icd;
}
