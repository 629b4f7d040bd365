import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { chromium } from "playwright-core";
import type { Browser } from "playwright-core";
import { unpackChromium } from "../../src/platform/node/packaged-chromium.ts";

/** Where Debian installs it. */
const SYSTEM_CHROMIUM = "/usr/bin/chromium";

/**
 * `--enable-unsafe-webgpu` lets Chromium offer its software adapter, whose driver clears workgroup memory by code
 * that takes seconds to compile: Dawn's own is used, as in Node (`src/platform/node/gpu.ts`). Those after it
 * keep the browser from talking to anyone but the test's server.
 */
const ARGUMENTS = [
  "--no-sandbox",
  "--headless=new",
  "--enable-unsafe-webgpu",
  "--disable-dawn-features=use_vulkan_zero_initialize_workgroup_memory_extension",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];

interface Installation {
  readonly executablePath: string;
  readonly env: Readonly<Record<string, string>>;
}

/** The browser named by `CHROMIUM`, else the system's, else the one from npm with its libraries. */
async function findChromium(): Promise<Installation> {
  const named = process.env["CHROMIUM"];
  if (named !== undefined && named !== "") return { executablePath: named, env: {} };
  if (existsSync(SYSTEM_CHROMIUM)) return { executablePath: SYSTEM_CHROMIUM, env: {} };
  const folder = await unpackChromium("chromium", [
    "chromium.br",
    "swiftshader.tar.br",
    "al2023.tar.br",
    "fonts.tar.br",
  ]);
  return {
    executablePath: join(folder, "chromium"),
    env: { LD_LIBRARY_PATH: `${join(folder, "lib")}:${folder}` },
  };
}

/** Starts Chromium with WebGPU. Fails where there is none. */
export async function launchChromium(): Promise<Browser> {
  const { executablePath, env } = await findChromium();
  const inherited = Object.entries(process.env).filter(([, value]) => value !== undefined);
  return chromium.launch({
    executablePath,
    args: ARGUMENTS,
    env: { ...(Object.fromEntries(inherited) as Record<string, string>), ...env },
  });
}
