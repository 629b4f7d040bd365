/**
 * Runs the kernel suites on this machine's GPU: bundled into one file by `npm run test:device`,
 * which needs nothing but Node and `node_modules/webgpu` beside it.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { adapterName } from "../../src/gpu/capabilities.ts";
import { GpuDevice } from "../../src/gpu/device.ts";
import { Tetrad } from "../../src/node.ts";
import { findGpu } from "../../src/platform/node/gpu.ts";
import { compareWithReference } from "../support/stories-reference.ts";
import type { StoriesReference } from "../support/stories-reference.ts";
import { RESULT_TITLES, resultCells, runSuites, summaryLine } from "./run-suites.ts";
import { kernelSuites } from "./suites.ts";

const USAGE = `node device.mjs [OPERATOR…] [options]
  --heavy        run the heavy cases as well
  --case TEXT    only cases whose name contains TEXT
  --seed N       draw the samples of large outputs as a failure reported them
  --failures     print only what failed
  --reference    compare the embedded model (in models/stories-14m) with float64 as well
  --json FILE    write the results and the device's capabilities
  --software     run on the software adapter
  --require-gpu  fail where there is no hardware adapter
  --dawn-features NAMES  Dawn toggles: disable_robustness leaves kernels to their own bounds
  --list         print the suites`;

const WIDTHS = [22, 44, 15, 24, 8, 8, 6];

const formatRow = (cells: readonly string[]): string =>
  cells
    .map((cell, i) => cell.padEnd(WIDTHS[i]!))
    .join(" ")
    .trimEnd();

function parse() {
  return parseArgs({
    allowPositionals: true,
    options: {
      heavy: { type: "boolean", default: false },
      case: { type: "string", default: "" },
      seed: { type: "string" },
      failures: { type: "boolean", default: false },
      reference: { type: "boolean", default: false },
      json: { type: "string" },
      software: { type: "boolean", default: false },
      "require-gpu": { type: "boolean", default: false },
      "dawn-features": { type: "string", default: "" },
      list: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
}

async function run({ values, positionals }: ReturnType<typeof parse>): Promise<boolean> {
  const { gpu: instance, adapter } = await findGpu({
    forceSoftware: values.software,
    requireGpu: values["require-gpu"],
    dawnFeatures: values["dawn-features"].split(",").filter(Boolean),
    onFallback: (message) => console.log(message),
  });
  const gpu = await GpuDevice.fromAdapter(adapter, instance.wgslLanguageFeatures);
  const uncaptured: string[] = [];
  gpu.device.addEventListener("uncapturederror", ({ error }) => {
    uncaptured.push(error.message);
  });
  try {
    console.log(`${adapterName(gpu.capabilities.adapter)}\n${formatRow(RESULT_TITLES)}`);
    const selection = {
      operators: positionals,
      caseName: values.case,
      heavy: values.heavy,
      ...(values.seed === undefined ? {} : { seed: Number(values.seed) }),
    };
    const outcome = await runSuites(gpu, kernelSuites, selection, (result) => {
      if (result.failure === "" && values.failures) return;
      console.log(formatRow(resultCells(result)));
      if (result.failure !== "") console.log(result.failure.replaceAll(/^/gm, "    "));
    });
    for (const message of uncaptured) console.log(`uncaptured GPU error: ${message}`);
    console.log(summaryLine(outcome));
    if (values.json !== undefined) {
      const report = { capabilities: gpu.capabilities, uncaptured, ...outcome };
      await writeFile(values.json, `${JSON.stringify(report, null, 1)}\n`);
    }
    return outcome.failed === 0 && outcome.results.length > 0 && uncaptured.length === 0;
  } finally {
    await gpu.dispose();
  }
}

/** The embedded model's tokens and logits against float64, with either type of cache. */
async function runReference(): Promise<boolean> {
  const folder = join("models", "stories-14m");
  const json = await readFile(join(folder, "reference.json"), "utf8");
  await using tetrad = await Tetrad.create();
  let passed = true;
  for (const [cacheType, tolerance] of [
    ["f32", 1e-3],
    ["f16", 2e-2],
  ] as const) {
    const model = await tetrad.load(join(folder, "stories-14m-q4_0.gguf"), { cacheType });
    const report = await compareWithReference(model, JSON.parse(json) as StoriesReference);
    const ok = report.mismatches.length === 0 && report.maxLogitError < tolerance;
    console.log(
      `stories-14m, ${cacheType} cache: ${report.steps} steps, ${report.mismatches.length} differ, ` +
        `logits within ${report.maxLogitError.toExponential(1)}: ${ok ? "ok" : "FAILED"}`,
    );
    for (const mismatch of report.mismatches) console.log(`    ${mismatch}`);
    passed &&= ok;
    await model.dispose();
  }
  return passed;
}

try {
  const args = parse();
  if (args.values.help) console.log(USAGE);
  else if (args.values.list) {
    for (const { operator, cases } of kernelSuites) {
      console.log(`${operator}: ${cases.length} cases`);
    }
  } else {
    const kernels = await run(args);
    const reference = !args.values.reference || (await runReference());
    if (!kernels || !reference) process.exitCode = 1;
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
