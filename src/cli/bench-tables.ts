/** A benchmark's report as tables for a terminal. */
import type { BenchReport, DecodeResult, PrefillResult } from "../bench/report.ts";
import type { KernelRoofline } from "../bench/roofline.ts";
import type { Measurement } from "../bench/statistics.ts";
import { formatBytes, formatCount, formatDuration } from "./quantities.ts";
import { formatTable } from "./table.ts";

/** Three digits, and as many more as the whole part has: `1,234`, `56.7`, `0.00123`. */
function figure(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (value >= 1000) return Math.round(value).toLocaleString("en-US");
  return String(Number(value.toPrecision(3)));
}

const percent = (part: number): string => `${(100 * part).toFixed(1)} %`;

/** Median, then least and most. */
const spread = ({ median, min, max }: Measurement, scale = 1): string[] => [
  figure(median * scale),
  `${figure(min * scale)}–${figure(max * scale)}`,
];

/** Every column but the first is of figures. */
function numbers(rows: readonly (readonly string[])[]): string {
  return formatTable(
    rows,
    (rows[0] ?? []).map((_, column) => column).filter((column) => column > 0),
  );
}

function ceilingsTable({ ceilings }: BenchReport): string {
  return numbers([
    ["the device reaches", "", "spread", ""],
    ["reading memory", ...spread(ceilings.read.bytesPerSecond, 1e-9), "GB/s"],
    ...ceilings.arithmetic.map(({ unit, operationsPerSecond }) => [
      `${unit} arithmetic`,
      ...spread(operationsPerSecond, 1e-12),
      "TOP/s",
    ]),
  ]);
}

/** Calls for which the device preferred another kernel than the default. */
function tuningTable({ tuning }: BenchReport): string[] {
  if (tuning === undefined) return [];
  const { calls, milliseconds } = tuning;
  const changed = calls.filter((call) => call.choice !== undefined && call.choice !== call.default);
  const rows = changed.map((call) => [
    call.key,
    call.default,
    figure(call.defaultUs ?? Number.NaN),
    call.choice ?? "",
    figure(call.choiceUs ?? Number.NaN),
  ]);
  const title = `kernels chosen for ${changed.length} of ${calls.length} calls in ${formatDuration(milliseconds)}`;
  return [formatTable([[title, "default", "µs", "chosen", "µs"], ...rows], [2, 4])];
}

function coldTable({ coldStarts, prefill }: BenchReport): string {
  const rows = coldStarts.map(({ loadMs, firstTokenMs, promptTokens, peakBytes }, index) => [
    `cold start ${index + 1}`,
    formatCount(promptTokens),
    formatDuration(loadMs),
    formatDuration(firstTokenMs),
    formatDuration(loadMs + firstTokenMs),
    peakBytes === undefined ? "–" : formatBytes(peakBytes),
  ]);
  const [first] = coldStarts;
  const warm = prefill.find(({ promptTokens }) => promptTokens === first?.promptTokens);
  const warmRow =
    warm === undefined
      ? []
      : [
          [
            "warm",
            formatCount(warm.promptTokens),
            "",
            `${figure(warm.firstTokenMs.median)} ms`,
            `${figure(warm.firstTokenMs.median)} ms`,
            "",
          ],
        ];
  return numbers([
    ["first token", "prompt", "load", "then", "together", "memory"],
    ...rows,
    ...warmRow,
  ]);
}

function prefillTable({ prefill }: BenchReport): string {
  return numbers([
    [
      "prompt",
      "tokens/s",
      "spread",
      "first token ms",
      "spread",
      "dispatches",
      "TFLOP/s",
      "of bound",
    ],
    ...prefill.map(({ promptTokens, tokensPerSecond, firstTokenMs, ...result }) => [
      formatCount(promptTokens),
      ...spread(tokensPerSecond),
      ...spread(firstTokenMs),
      formatCount(result.dispatches),
      figure(result.operations / firstTokenMs.median / 1e9),
      percent(tokensPerSecond.median / result.boundTokensPerSecond),
    ]),
  ]);
}

/** How tokens were chosen, where that was not greedily. */
function sampledBy({ sampling }: BenchReport["method"]): string {
  if (sampling === undefined) return "";
  return `, ${Object.entries(sampling)
    .map(([name, value]) => `${name} ${value}`)
    .join(", ")}`;
}

function decodeTable({ decode, method }: BenchReport): string {
  return numbers([
    [
      `context${sampledBy(method)}`,
      "tokens/s",
      "spread",
      "GPU ms",
      "CPU ms",
      "dispatches",
      "bytes/token",
      "GB/s",
      "of bound",
    ],
    ...decode.map((result) => [
      formatCount(result.context),
      ...spread(result.tokensPerSecond),
      result.gpuMs === undefined ? "–" : figure(result.gpuMs.median),
      figure(result.cpuMs.median),
      formatCount(result.dispatches),
      formatBytes(result.bytes),
      figure((result.bytes * result.tokensPerSecond.median) / 1e9),
      percent(result.tokensPerSecond.median / result.boundTokensPerSecond),
    ]),
  ]);
}

function productsTable({ products }: BenchReport): string {
  return formatTable(
    [
      ["product", "kernel", "M×K×N", "µs", "spread", "GB/s", "TFLOP/s", "bound", "of bound"],
      ...products.map((product) => {
        const { name, kernel, M, K, N, microseconds, bytes, operations, bound, ofBound } = product;
        return [
          name,
          kernel,
          `${M}×${K}×${N}`,
          ...spread(microseconds),
          figure(bytes / microseconds.median / 1000),
          figure(operations / microseconds.median / 1e6),
          bound,
          percent(ofBound),
        ];
      }),
    ],
    [3, 4, 5, 6, 8],
  );
}

function kernelTable(title: string, kernels: readonly KernelRoofline[]): string {
  return formatTable(
    [
      [
        title,
        "shape",
        "calls",
        "µs",
        "spread",
        "bytes",
        "MFLOP",
        "GB/s",
        "TFLOP/s",
        "bound",
        "of bound",
        "share",
      ],
      ...kernels.map((kernel) => [
        kernel.kernel,
        kernel.shape,
        figure(kernel.calls),
        ...spread(kernel.microseconds),
        formatBytes(Math.round(kernel.bytes)),
        figure(kernel.operations / 1e6),
        figure(kernel.gigabytesPerSecond),
        figure(kernel.teraoperationsPerSecond),
        kernel.bound,
        percent(kernel.ofBound),
        percent(kernel.share),
      ]),
    ],
    [2, 3, 4, 5, 6, 7, 8, 10, 11],
  );
}

const prefillKernels = ({ promptTokens, kernels }: PrefillResult): string =>
  kernelTable(`prompt of ${formatCount(promptTokens)}`, kernels);

const decodeKernels = ({ context, kernels }: DecodeResult): string =>
  kernelTable(`a token at ${formatCount(context)}`, kernels);

function checksLines({ checks }: BenchReport): string {
  const failed = checks.filter(({ passed }) => !passed);
  const lines = failed.map(({ what, detail }) => `FAILED ${what}: ${detail}`);
  return [...lines, `${checks.length - failed.length} of ${checks.length} checks passed`].join(
    "\n",
  );
}

/** The first and the last: what lies between is in the JSON. */
const ends = <T>(list: readonly T[]): readonly T[] =>
  list.filter((_, index) => index === 0 || index === list.length - 1);

/** Everything, tables apart by an empty line. */
export function benchTables(report: BenchReport): string {
  const { device, model, prefill, decode, products } = report;
  const origin = model.randomWeights ? ", random weights" : "";
  const blocks = [
    `${model.name}${origin}, ${formatBytes(model.weightBytes)} of weights, on ${device.name}`,
    ceilingsTable(report),
    ...tuningTable(report),
    coldTable(report),
    ...(prefill.length > 0 ? [prefillTable(report)] : []),
    ...(decode.length > 0 ? [decodeTable(report)] : []),
    ...(products.length > 0 ? [productsTable(report)] : []),
    ...ends(decode.filter(({ kernels }) => kernels.length > 0)).map(decodeKernels),
    ...ends(prefill.filter(({ kernels }) => kernels.length > 0)).map(prefillKernels),
    checksLines(report),
  ];
  return `${blocks.join("\n\n")}\n`;
}
