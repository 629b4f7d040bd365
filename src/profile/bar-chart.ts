import { PHASES, runsOf, summarizeKernels } from "./profile.ts";
import type { ProfiledRun, ProfilePhase } from "./profile.ts";

const BAR_WIDTH = 24;
const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"] as const;

/** A bar of `fraction` of the full width, to an eighth of a character. */
function bar(fraction: number): string {
  const eighths = Math.round(fraction * BAR_WIDTH * 8);
  return "█".repeat(Math.floor(eighths / 8)) + EIGHTHS[eighths % 8]!;
}

const microseconds = (ns: number): string =>
  (ns / 1000).toLocaleString("en-US", { minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** Time by kernel as a table with bars, for a terminal: prefill, then decode. */
export function profileBars(runs: readonly ProfiledRun[]): string {
  return PHASES.filter((phase) => runsOf(runs, phase).length > 0)
    .map((phase) => phaseBars(runsOf(runs, phase), phase))
    .join("\n\n");
}

function phaseBars(runs: readonly ProfiledRun[], phase: ProfilePhase): string {
  const kernels = summarizeKernels(runs.flatMap(({ records }) => records));
  const totalNs = kernels.reduce((sum, kernel) => sum + kernel.totalNs, 0);
  const tokens = runs.reduce((sum, run) => sum + run.tokens, 0);
  const longest = kernels[0]?.share || 1;
  const rows = [
    [phase, "calls", "total µs", "mean µs", "share", ""],
    ...kernels.map(({ kernel, calls, totalNs, meanNs, share }) => [
      kernel,
      String(calls),
      microseconds(totalNs),
      microseconds(meanNs),
      `${(100 * share).toFixed(1)} %`,
      bar(share / longest),
    ]),
    [
      `${tokens} token${tokens === 1 ? "" : "s"}`,
      String(kernels.reduce((sum, { calls }) => sum + calls, 0)),
      microseconds(totalNs),
      "",
      "",
      `${microseconds(totalNs / tokens)} µs a token`,
    ],
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 || column === row.length - 1
            ? cell.padEnd(widths[column]!)
            : cell.padStart(widths[column]!),
        )
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
