import { existsSync } from "node:fs";
import process from "node:process";
import { chromium } from "playwright-core";
import type { Browser } from "playwright-core";

/** Where Debian installs it. */
const SYSTEM_CHROMIUM = "/usr/bin/chromium";

/**
 * `--enable-unsafe-webgpu` lets Chromium offer its software adapter; those after it
 * keep the browser from talking to anyone but the test's server.
 */
const ARGUMENTS = [
  "--no-sandbox",
  "--headless=new",
  "--enable-unsafe-webgpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];

/** The browser named by `CHROMIUM`, else the system's, else the one from npm. */
async function executable(): Promise<string> {
  const named = process.env["CHROMIUM"];
  if (named !== undefined && named !== "") return named;
  if (existsSync(SYSTEM_CHROMIUM)) return SYSTEM_CHROMIUM;
  const { default: packaged } = await import("@sparticuz/chromium");
  return packaged.executablePath();
}

/** Starts Chromium with WebGPU. Fails where there is none. */
export async function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: await executable(), args: ARGUMENTS });
}
