/** Runs every ExecuTorch fixture in a page, against its goldens. */
import { GpuDevice } from "../../src/gpu/device.ts";
import { findGpu } from "../../src/platform/browser/gpu.ts";
import { FIXTURE_NAMES, runFixture } from "../support/pte-fixtures.ts";
import type { FixtureResult } from "../support/pte-fixtures.ts";

async function read(name: string): Promise<Uint8Array> {
  const response = await fetch(`/fixtures/${name}`);
  if (!response.ok) throw new Error(`${name}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

async function run(): Promise<FixtureResult[]> {
  const { gpu, adapter } = await findGpu();
  const device = await GpuDevice.fromAdapter(adapter, gpu.wgslLanguageFeatures);
  const results: FixtureResult[] = [];
  for (const name of FIXTURE_NAMES) results.push(await runFixture(device, read, name));
  await device.dispose();
  return results;
}

Object.assign(globalThis, { programRun: run() });
