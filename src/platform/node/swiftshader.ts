import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { constants, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { brotliDecompress } from "node:zlib";
import { parseTar } from "nanotar";
import { DeviceError } from "../../errors.ts";

/**
 * SwiftShader, Chromium's software Vulkan driver, from the npm package `@sparticuz/chromium`: lets
 * a machine with nothing but Node run WebGPU. Linux x64 only, because the package is.
 */
const PACKAGE = "@sparticuz/chromium";
const ARCHIVE = "bin/swiftshader.tar.br";
const LOADER = "libvulkan.so.1";
const FILES: readonly string[] = [LOADER, "libvk_swiftshader.so", "vk_swiftshader_icd.json"];

/** glibc's RTLD_NODELETE, which Node's constants lack: keep the library after a failed dlopen. */
const RTLD_NODELETE = 0x1000;

function locatePackage(): { archive: string; version: string } {
  if (process.platform !== "linux" || process.arch !== "x64") {
    throw new DeviceError(
      "unavailable",
      `gpu: no WebGPU adapter, and the software fallback exists for linux-x64 only, not ${process.platform}-${process.arch}`,
    );
  }
  const require = createRequire(import.meta.url);
  let entry: string;
  try {
    entry = require.resolve(PACKAGE);
  } catch (error) {
    throw new DeviceError(
      "unavailable",
      `gpu: no WebGPU adapter; for the software fallback run: npm install ${PACKAGE}@141`,
      { cause: error },
    );
  }
  // The package exports only its entry point, two folders below its root.
  const root = dirname(dirname(dirname(entry)));
  const { version } = require(join(root, "package.json")) as { version: string };
  return { archive: join(root, ARCHIVE), version };
}

/** Unpacks the driver once per version and user, safely against other processes doing the same. */
async function unpack(): Promise<string> {
  const { archive, version } = locatePackage();
  const target = join(tmpdir(), `tetrad-swiftshader-${version}-${process.getuid?.() ?? 0}`);
  if (existsSync(target)) return target;
  const packed = await readFile(archive).catch((error: unknown) => {
    throw new DeviceError("unavailable", `gpu: ${PACKAGE} ${version} has no ${ARCHIVE}`, {
      cause: error,
    });
  });
  const entries = parseTar(await promisify(brotliDecompress)(packed));
  const staging = await mkdtemp(join(tmpdir(), "tetrad-swiftshader-"));
  await mkdir(staging, { recursive: true });
  for (const name of FILES) {
    const data = entries.find((entry) => entry.name === name)?.data;
    if (data === undefined) {
      throw new DeviceError("unavailable", `gpu: ${PACKAGE} ${version} holds no ${name}`);
    }
    await writeFile(join(staging, name), data, { mode: 0o755 });
  }
  await rename(staging, target).catch(async (error: unknown) => {
    await rm(staging, { recursive: true, force: true });
    // Another process was faster: its copy is as good.
    if (!existsSync(target)) throw error;
  });
  return target;
}

/**
 * Makes SwiftShader the Vulkan driver of this process. Must run before Dawn looks for adapters
 * again; a Vulkan instance made earlier is not affected.
 *
 * Dawn opens `libvulkan.so.1` by name, and the dynamic linker answers with a library of that soname
 * that is already loaded. So the loader is opened here by path. Node then finds that it is no
 * addon and closes it, which RTLD_NODELETE makes harmless; the error it throws is expected.
 */
export async function useSwiftShader(): Promise<void> {
  const folder = await unpack();
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
