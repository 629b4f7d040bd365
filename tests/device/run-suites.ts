import type { GpuDevice } from "../../src/gpu/device.ts";
import { runCase } from "../../src/kernels/testing/run-case.ts";
import type { CaseResult } from "../../src/kernels/testing/run-case.ts";
import { toleranceOf } from "../../src/kernels/testing/suite.ts";
import type { KernelCase, KernelSuite } from "../../src/kernels/testing/suite.ts";

/** Which cases to run. */
export interface Selection {
  /** Operators; all where there are none. */
  readonly operators: readonly string[];
  /** A part of the names of the cases. */
  readonly caseName?: string;
  /** Heavy cases as well. */
  readonly heavy: boolean;
  /** Every kernel once: no routes made of kernels that ran before. */
  readonly kernelsOnce?: boolean;
  /** Draws the samples of large outputs again as a failure reported them. */
  readonly seed?: number;
}

export interface SuiteRun {
  readonly results: readonly CaseResult[];
  /** Cases left out because they are heavy. */
  readonly heavyLeftOut: number;
  /** Cases this device need not run and cannot: it binds too little at once. */
  readonly notRunnable: number;
  /** Cases left out because all of their kernels had run. */
  readonly ranBefore: number;
  readonly failed: number;
}

/** A case that threw: compilation or validation failed, or the device is gone. */
function thrown(
  gpu: GpuDevice,
  operator: string,
  kernelCase: KernelCase<never>,
  error: unknown,
): CaseResult {
  return {
    operator,
    name: kernelCase.name,
    variant: "-",
    route: "-",
    maxAbsolute: Infinity,
    maxRelative: Infinity,
    tolerance: toleranceOf(kernelCase, gpu.capabilities),
    failure: error instanceof Error ? error.message : String(error),
  };
}

/** A misspelt operator must not look like success. */
function selectSuites(suites: readonly KernelSuite[], operators: readonly string[]) {
  const known = suites.map(({ operator }) => operator);
  const unknown = operators.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw new Error(`no suite ${unknown.join(", ")}; there are: ${known.join(", ")}`);
  }
  return suites.filter(({ operator }) => operators.length === 0 || operators.includes(operator));
}

/** Runs suites on a device and reports every result as it comes. A case that throws fails. */
export async function runSuites(
  gpu: GpuDevice,
  suites: readonly KernelSuite[],
  { operators, caseName = "", heavy, kernelsOnce = false, ...options }: Selection,
  onResult: (result: CaseResult) => void,
): Promise<SuiteRun> {
  const results: CaseResult[] = [];
  let heavyLeftOut = 0;
  let notRunnable = 0;
  let ranBefore = 0;
  const ran = kernelsOnce ? new Set<string>() : undefined;
  for (const { operator, cases } of selectSuites(suites, operators)) {
    for (const kernelCase of cases) {
      if (!kernelCase.name.includes(caseName)) continue;
      if (kernelCase.heavy !== undefined && !heavy) {
        heavyLeftOut += 1;
        continue;
      }
      const rows = await runCase(gpu, operator, kernelCase, {
        ...options,
        everyCandidate: heavy,
        ...(ran === undefined ? {} : { ran }),
      }).catch((error: unknown) => [thrown(gpu, operator, kernelCase, error)]);
      if (rows.length === 0) {
        if (ran !== undefined && kernelCase.runnable?.(gpu.capabilities) !== false) ranBefore += 1;
        else notRunnable += 1;
      }
      for (const row of rows) onResult(row);
      results.push(...rows);
      gpu.assertUsable();
    }
  }
  const failed = results.filter(({ failure }) => failure !== "").length;
  return { results, heavyLeftOut, notRunnable, ranBefore, failed };
}

/** The line under a table of results. */
export function summaryLine({
  results,
  failed,
  heavyLeftOut,
  notRunnable,
  ranBefore,
}: SuiteRun): string {
  const leftOut = heavyLeftOut === 0 ? "" : `, ${heavyLeftOut} heavy cases left out`;
  const tooLarge = notRunnable === 0 ? "" : `, ${notRunnable} too large for this device`;
  const repeated = ranBefore === 0 ? "" : `, ${ranBefore} cases of kernels that had run`;
  return `${results.length - failed} passed, ${failed} failed${leftOut}${tooLarge}${repeated}`;
}

/** The cells of a row: operator, case, variant, route, largest errors, verdict. */
export function resultCells(result: CaseResult): string[] {
  const { operator, name, variant, route, maxAbsolute, maxRelative, failure } = result;
  const errors = [maxAbsolute, maxRelative].map((error) => error.toExponential(1));
  return [operator, name, variant, route, ...errors, failure === "" ? "ok" : "FAILED"];
}

/** Titles of {@link resultCells}. */
export const RESULT_TITLES = ["operator", "case", "variant", "route", "max abs", "max rel", ""];
