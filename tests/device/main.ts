/**
 * Runs the kernel suites on this machine's GPU: bundled into one file by `npm run test:device`,
 * which needs nothing but Node and `node_modules/webgpu` beside it.
 */
import { writeFile } from "node:fs/promises";
import process from "node:process";
import { parseArgs } from "node:util";
import { adapterName } from "../../src/gpu/capabilities.ts";
import { GpuDevice } from "../../src/gpu/device.ts";
import { findGpu } from "../../src/platform/node/gpu.ts";
import { RESULT_TITLES, resultCells, runSuites, summaryLine } from "./run-suites.ts";
import { kernelSuites } from "./suites.ts";

const USAGE = `node device.mjs [OPERATOR…] [options]
  --heavy        run the heavy cases as well
  --case TEXT    only cases whose name contains TEXT
  --failures     print only what failed
  --json FILE    write the results and the device's capabilities
  --software     run on the software adapter
  --require-gpu  fail where there is no hardware adapter
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
      failures: { type: "boolean", default: false },
      json: { type: "string" },
      software: { type: "boolean", default: false },
      "require-gpu": { type: "boolean", default: false },
      list: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
}

async function run({ values, positionals }: ReturnType<typeof parse>): Promise<boolean> {
  const { gpu: instance, adapter } = await findGpu({
    forceSoftware: values.software,
    requireGpu: values["require-gpu"],
    onFallback: (message) => console.log(message),
  });
  const gpu = await GpuDevice.fromAdapter(adapter, instance.wgslLanguageFeatures);
  const uncaptured: string[] = [];
  gpu.device.addEventListener("uncapturederror", ({ error }) => {
    uncaptured.push(error.message);
  });
  try {
    console.log(`${adapterName(gpu.capabilities.adapter)}\n${formatRow(RESULT_TITLES)}`);
    const selection = { operators: positionals, caseName: values.case, heavy: values.heavy };
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

try {
  const args = parse();
  if (args.values.help) console.log(USAGE);
  else if (args.values.list) {
    for (const { operator, cases } of kernelSuites) {
      console.log(`${operator}: ${cases.length} cases`);
    }
  } else if (!(await run(args))) process.exitCode = 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
