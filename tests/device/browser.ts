/**
 * The kernel suites in a page. `?operator=` (repeatable), `?case=`, `?heavy` and `?once` (every kernel
 * once) select; the promise `kernelRun` on the global object is for the program that opened the page.
 */
import { adapterName } from "../../src/gpu/capabilities.ts";
import { GpuDevice } from "../../src/gpu/device.ts";
import type { CaseResult } from "../../src/kernels/testing/run-case.ts";
import { findGpu } from "../../src/platform/browser/gpu.ts";
import { RESULT_TITLES, resultCells, runSuites, summaryLine } from "./run-suites.ts";
import type { SuiteRun } from "./run-suites.ts";
import { kernelSuites } from "./suites.ts";

/** What `kernelRun` resolves to. */
export interface PageRun extends SuiteRun {
  readonly adapter: string;
  readonly uncaptured: readonly string[];
}

function addRow(parent: string, tag: "td" | "th", cells: readonly string[]): HTMLElement {
  const row = document.createElement("tr");
  row.append(
    ...cells.map((text) => Object.assign(document.createElement(tag), { textContent: text })),
  );
  document.querySelector(parent)?.append(row);
  return row;
}

function showResult(result: CaseResult): void {
  const cells = resultCells(result);
  if (result.failure === "") return void addRow("tbody", "td", cells);
  addRow("tbody", "td", [...cells, result.failure]).className = "failed";
}

function showSummary(text: string): void {
  document.querySelector("#summary")!.textContent = text;
}

async function run(): Promise<PageRun> {
  addRow("thead", "th", RESULT_TITLES);
  const query = new URLSearchParams(location.search);
  const { gpu: instance, adapter } = await findGpu();
  const gpu = await GpuDevice.fromAdapter(adapter, instance.wgslLanguageFeatures);
  const uncaptured: string[] = [];
  gpu.device.addEventListener("uncapturederror", ({ error }) => {
    uncaptured.push(error.message);
  });
  const selection = {
    operators: query.getAll("operator"),
    caseName: query.get("case") ?? "",
    heavy: query.has("heavy"),
    kernelsOnce: query.has("once"),
  };
  const outcome = await runSuites(gpu, kernelSuites, selection, showResult);
  const name = adapterName(gpu.capabilities.adapter);
  showSummary(`${name}: ${summaryLine(outcome)}`);
  await gpu.dispose();
  return { ...outcome, adapter: name, uncaptured };
}

const kernelRun = run();
kernelRun.catch((error: unknown) => showSummary(String(error)));
Object.assign(globalThis, { kernelRun });
