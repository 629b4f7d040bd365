import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { brotliDecompress } from "node:zlib";
import { parseTar } from "nanotar";
import { DeviceError } from "../../errors.ts";

/**
 * The npm package `@sparticuz/chromium`: a browser and its software Vulkan driver, for machines with
 * nothing but Node. Linux x64 only, because the package is.
 */
const PACKAGE = "@sparticuz/chromium";

/** Files of the package that can be unpacked, by their names in its folder `bin`. */
export type PackagedArchive =
  "swiftshader.tar.br" | "al2023.tar.br" | "fonts.tar.br" | "chromium.br";

function locatePackage(): { readonly folder: string; readonly version: string } {
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
  return { folder: join(root, "bin"), version };
}

async function unpackInto(staging: string, folder: string, archive: string): Promise<void> {
  const packed = await readFile(join(folder, archive)).catch((error: unknown) => {
    throw new DeviceError("unavailable", `gpu: ${PACKAGE} has no ${archive}`, { cause: error });
  });
  const bytes = await promisify(brotliDecompress)(packed);
  const files = archive.endsWith(".tar.br")
    ? parseTar(bytes)
    : [{ name: archive.replace(/\.br$/, ""), data: bytes }];
  for (const { name, data } of files) {
    if (data === undefined || data.length === 0) continue;
    const file = join(staging, name);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, data, { mode: 0o755 });
  }
}

/** True for a folder this user made: nobody else may decide what gets loaded. */
async function isOwn(folder: string): Promise<boolean> {
  const { uid } = await stat(folder);
  return uid === (process.getuid?.() ?? uid);
}

/**
 * Unpacks archives of the package into a temporary folder named after `name`, once per version and
 * user, safely against other processes doing the same. Throws `DeviceError` ("unavailable") where
 * the package is missing or the platform is another.
 */
export async function unpackChromium(
  name: string,
  archives: readonly PackagedArchive[],
): Promise<string> {
  const { folder, version } = locatePackage();
  const target = join(tmpdir(), `tetrad-${name}-${version}-${process.getuid?.() ?? 0}`);
  if (existsSync(target) && (await isOwn(target))) return target;
  const staging = await mkdtemp(join(tmpdir(), `tetrad-${name}-`));
  for (const archive of archives) await unpackInto(staging, folder, archive);
  try {
    await rename(staging, target);
    return target;
  } catch (error) {
    // Another process was faster: its copy is as good. Somebody else's folder is not.
    if (!existsSync(target)) throw error;
    if (!(await isOwn(target))) return staging;
    await rm(staging, { recursive: true, force: true });
    return target;
  }
}
