import { PHASES, runsOf, summarizeKernels } from "./profile.ts";
import type { ProfiledRun } from "./profile.ts";

const microseconds = (ns: number): string => (ns / 1000).toFixed(3);

/**
 * Two tables of tab-separated values, apart by an empty line: a row per dispatch, then a row per
 * phase and kernel.
 */
export function profileTsv(runs: readonly ProfiledRun[]): string {
  const lines = ["idx\tkernel\tgwg\tduration_us\tlwg\tphase\tposition"];
  for (const { phase, position, records } of runs) {
    for (const { index, kernel, grid, durationNs, workgroup } of records) {
      const cells = [index, kernel, grid.join("x"), microseconds(durationNs), workgroup.join("x")];
      lines.push([...cells, phase, position].join("\t"));
    }
  }
  lines.push("", "phase\tkernel\tcalls\tmean_us\ttotal_us");
  for (const phase of PHASES) {
    const records = runsOf(runs, phase).flatMap((run) => run.records);
    for (const { kernel, calls, meanNs, totalNs } of summarizeKernels(records)) {
      lines.push([phase, kernel, calls, microseconds(meanNs), microseconds(totalNs)].join("\t"));
    }
  }
  return `${lines.join("\n")}\n`;
}
