/**
 * A benchmark's report as a picture: speed by prompt and context as bars, with their spread and what the
 * device allows; below it the kernels on a roofline. Static SVG; what has no room is in tooltips.
 */
import {
  CHARACTER_WIDTH,
  COLORS,
  line,
  rectangle,
  round,
  shorten,
  svgDocument,
  text,
  tickStep,
  withTooltip,
} from "../profile/svg.ts";
import type { BenchReport } from "./report.ts";
import type { KernelRoofline } from "./roofline.ts";
import type { Measurement } from "./statistics.ts";

// All in pixels.
const WIDTH = 1400;
const MARGIN = 24;
const BARS_WIDTH = (WIDTH - 3 * MARGIN) / 2;
const BARS_HEIGHT = 220;
const BAR_WIDTH = 72;
const AXIS_LEFT = 64;
const ROOFLINE_WIDTH = 860;
const ROOFLINE_HEIGHT = 440;
const LEGEND_X = ROOFLINE_WIDTH + 2 * MARGIN;
const LEGEND_LINE = 19;
const MAX_TICKS = 5;
/** Kernels of a phase that are shown, the longest. */
const MAX_KERNELS = 11;
const LEAST_RADIUS = 5;
const MOST_RADIUS = 16;

const STYLE = [
  ".whisker{stroke:#1f2430;stroke-width:1.5}",
  ".bound{fill:none;stroke:#5b6472;stroke-dasharray:4 3}",
  ".roof{stroke:#3f5a86;stroke-width:1.5}",
  ".point{stroke:#1f2430;stroke-width:.7;fill-opacity:.75}",
  ".small{font-size:10px}",
].join("");

/** A decoded token's colour, and a prompt's. */
const DECODE_COLOR = COLORS[0];
const PREFILL_COLOR = COLORS[1];

/** Three digits: `1,234`, `56.7`. */
function figure(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString("en-US");
  return String(Number(value.toPrecision(3)));
}

const percent = (part: number): string => `${(100 * part).toFixed(1)} %`;

interface BarData {
  readonly label: string;
  readonly measured: Measurement;
  /** What the device allows. */
  readonly bound: number;
  readonly tooltip: string;
}

/** Bars over a common axis that begins at nothing. */
function bars(
  left: number,
  top: number,
  { title, axis, color, data }: { title: string; axis: string; color: string; data: BarData[] },
): string[] {
  const bottom = top + BARS_HEIGHT;
  const most = Math.max(...data.map(({ measured, bound }) => Math.max(measured.max, bound)), 1);
  const y = (value: number) => bottom - (value / most) * (BARS_HEIGHT - 24);
  const parts = [text(left, top - 16, title, "phase")];
  const step = tickStep(most, MAX_TICKS);
  for (let tick = 0; tick * step <= most; tick++) {
    const at = y(tick * step);
    parts.push(line(left + AXIS_LEFT, at, left + BARS_WIDTH, at, 'class="tick"'));
    parts.push(text(left + AXIS_LEFT - 8, at + 4, figure(tick * step), "muted end"));
  }
  const pitch = (BARS_WIDTH - AXIS_LEFT) / Math.max(1, data.length);
  data.forEach(({ label, measured, bound, tooltip }, index) => {
    const center = left + AXIS_LEFT + pitch * (index + 0.5);
    const x = center - BAR_WIDTH / 2;
    const at = y(measured.median);
    const shapes = [
      rectangle({ x, y: at, width: BAR_WIDTH, height: bottom - at, paint: `fill="${color}"` }),
      line(center, y(measured.max), center, y(measured.min), 'class="whisker"'),
    ];
    const height = bottom - y(bound);
    shapes.push(rectangle({ x, y: y(bound), width: BAR_WIDTH, height, paint: 'class="bound"' }));
    shapes.push(text(center, y(measured.max) - 6, figure(measured.median), "middle"));
    parts.push(withTooltip(tooltip, ...shapes));
    parts.push(text(center, bottom + 16, label, "muted middle"));
  });
  parts.push(text(left + AXIS_LEFT, bottom + 34, axis, "muted"));
  return parts;
}

const rangeOf = ({ median, min, max }: Measurement): string =>
  `${figure(median)} (${figure(min)} to ${figure(max)})`;

function prefillBars(report: BenchReport, top: number): string[] {
  return bars(MARGIN, top, {
    title: "prompts, tokens/s",
    axis: "tokens of the prompt; length over the time to the first token; dashed as on the right",
    color: PREFILL_COLOR,
    data: report.prefill.map(
      ({ promptTokens, tokensPerSecond, boundTokensPerSecond, firstTokenMs }) => ({
        label: promptTokens.toLocaleString("en-US"),
        measured: tokensPerSecond,
        bound: boundTokensPerSecond,
        tooltip:
          `${rangeOf(tokensPerSecond)} tokens/s, ` +
          `${percent(tokensPerSecond.median / boundTokensPerSecond)} of ${figure(boundTokensPerSecond)}\n` +
          `first token after ${rangeOf(firstTokenMs)} ms`,
      }),
    ),
  });
}

function decodeBars(report: BenchReport, top: number): string[] {
  return bars(2 * MARGIN + BARS_WIDTH, top, {
    title: "decoding, tokens/s",
    axis: "tokens before the first that is decoded; dashed: what the device's ceilings allow",
    color: DECODE_COLOR,
    data: report.decode.map(({ context, tokensPerSecond, boundTokensPerSecond, ...result }) => ({
      label: context.toLocaleString("en-US"),
      measured: tokensPerSecond,
      bound: boundTokensPerSecond,
      tooltip:
        `${rangeOf(tokensPerSecond)} tokens/s, ` +
        `${percent(tokensPerSecond.median / boundTokensPerSecond)} of ${figure(boundTokensPerSecond)}\n` +
        `${result.dispatches} dispatches, CPU ${figure(result.cpuMs.median)} ms` +
        (result.gpuMs === undefined ? "" : `, GPU ${figure(result.gpuMs.median)} ms`),
    })),
  });
}

/** A logarithmic axis from one power to another. */
class LogScale {
  readonly #base: number;
  readonly #from: number;
  readonly #to: number;
  readonly #start: number;
  readonly #end: number;

  /** Covers `values` with whole powers of `base`, from pixel `start` to `end`. */
  constructor(base: number, values: readonly number[], start: number, end: number) {
    const power = (value: number) => Math.log(value) / Math.log(base);
    this.#base = base;
    this.#from = Math.floor(power(Math.min(...values)));
    this.#to = Math.max(this.#from + 1, Math.ceil(power(Math.max(...values))));
    this.#start = start;
    this.#end = end;
  }

  get least(): number {
    return this.#base ** this.#from;
  }

  get most(): number {
    return this.#base ** this.#to;
  }

  at(value: number): number {
    const part = (Math.log(value) / Math.log(this.#base) - this.#from) / (this.#to - this.#from);
    return this.#start + part * (this.#end - this.#start);
  }

  /** At most `count` powers, evenly apart. */
  ticks(count: number): number[] {
    const every = Math.ceil((this.#to - this.#from) / count);
    const ticks: number[] = [];
    for (let power = this.#from; power <= this.#to; power += every) {
      ticks.push(this.#base ** power);
    }
    return ticks;
  }
}

interface Point {
  readonly kernel: KernelRoofline;
  readonly color: string;
  /** What the kernel was part of. */
  readonly of: string;
}

/** The kernels of the longest context and the longest prompt that compute anything. */
function pointsOf({ decode, prefill }: BenchReport): Point[] {
  const points = (kernels: readonly KernelRoofline[], color: string, of: string): Point[] =>
    kernels
      .filter(({ operations }) => operations > 0)
      .slice(0, MAX_KERNELS)
      .map((kernel) => ({ kernel, color, of }));
  const [token, prompt] = [decode.at(-1), prefill.at(-1)];
  return [
    ...points(token?.kernels ?? [], DECODE_COLOR, `a token at ${token?.context ?? 0}`),
    ...points(prompt?.kernels ?? [], PREFILL_COLOR, `a prompt of ${prompt?.promptTokens ?? 0}`),
  ];
}

function roofs(
  { ceilings }: BenchReport,
  bytesPerSecond: number,
  intensity: LogScale,
  rate: LogScale,
): string[] {
  const parts: string[] = [];
  let highest = 0;
  for (const { unit, operationsPerSecond } of ceilings.arithmetic) {
    const operations = operationsPerSecond.median;
    highest = Math.max(highest, operations);
    const [x, y] = [intensity.at(operations / bytesPerSecond), rate.at(operations)];
    parts.push(line(x, y, intensity.at(intensity.most), y, 'class="roof"'));
    const label = `${unit}, ${figure(operations / 1e12)} TOP/s`;
    parts.push(text(intensity.at(intensity.most) - 4, y - 5, label, "muted end"));
  }
  const from = Math.max(intensity.least, rate.least / bytesPerSecond);
  const to = highest / bytesPerSecond;
  parts.push(
    line(
      intensity.at(from),
      rate.at(from * bytesPerSecond),
      intensity.at(to),
      rate.at(highest),
      'class="roof"',
    ),
    text(
      (intensity.at(from) + intensity.at(to)) / 2 - 8,
      (rate.at(from * bytesPerSecond) + rate.at(highest)) / 2 - 8,
      `memory, ${figure(bytesPerSecond / 1e9)} GB/s`,
      "muted end",
    ),
  );
  return parts;
}

function roofline(report: BenchReport, top: number): { parts: string[]; height: number } {
  const points = pointsOf(report);
  if (points.length === 0) return { parts: [], height: 0 };
  const bytesPerSecond = report.ceilings.read.bytesPerSecond.median;
  const rates = report.ceilings.arithmetic.map(
    ({ operationsPerSecond }) => operationsPerSecond.median,
  );
  const intensityOf = ({ operations, bytes }: KernelRoofline) => operations / bytes;
  const rateOf = (kernel: KernelRoofline) => kernel.teraoperationsPerSecond * 1e12;
  const left = MARGIN + AXIS_LEFT;
  const right = MARGIN + ROOFLINE_WIDTH;
  const bottom = top + ROOFLINE_HEIGHT;
  const intensity = new LogScale(
    2,
    [...points.map(({ kernel }) => intensityOf(kernel)), (2 * Math.max(...rates)) / bytesPerSecond],
    left,
    right,
  );
  const rate = new LogScale(
    10,
    [...points.map(({ kernel }) => rateOf(kernel)), ...rates],
    bottom,
    top,
  );
  const parts = [text(MARGIN, top - 16, "kernels against the device's ceilings", "phase")];
  for (const tick of intensity.ticks(10)) {
    const x = intensity.at(tick);
    const label = tick < 1 ? `1/${1 / tick}` : tick.toLocaleString("en-US");
    parts.push(line(x, top, x, bottom, 'class="tick"'));
    parts.push(text(x, bottom + 16, label, "muted middle"));
  }
  for (const tick of rate.ticks(10)) {
    const y = rate.at(tick);
    parts.push(line(left, y, right, y, 'class="tick"'));
    parts.push(text(left - 8, y + 4, figure(tick / 1e12), "muted end"));
  }
  parts.push(
    text(
      left,
      bottom + 34,
      "operations a byte; upwards TOP/s; without kernels that only move bytes",
      "muted",
    ),
  );
  parts.push(...roofs(report, bytesPerSecond, intensity, rate));
  points.forEach(({ kernel, color, of }, index) => {
    const [x, y] = [intensity.at(intensityOf(kernel)), rate.at(rateOf(kernel))];
    const radius = LEAST_RADIUS + (MOST_RADIUS - LEAST_RADIUS) * Math.sqrt(kernel.share);
    const tooltip =
      `${kernel.kernel} ${kernel.shape}\nof ${of}: ${figure(kernel.calls)} calls of ` +
      `${figure(kernel.microseconds.median)} µs, ${percent(kernel.share)} of the time\n` +
      `${figure(kernel.gigabytesPerSecond)} GB/s, ${figure(kernel.teraoperationsPerSecond)} TOP/s, ` +
      `${percent(kernel.ofBound)} of ${kernel.bound}`;
    const circle = `<circle cx="${round(x)}" cy="${round(y)}" r="${round(radius)}" fill="${color}" class="point"/>`;
    parts.push(withTooltip(tooltip, circle, text(x, y + 3.5, String(index + 1), "small middle")));
  });
  const legend = kernelLegend(points, top);
  return {
    parts: [...parts, ...legend],
    height: Math.max(ROOFLINE_HEIGHT + 34, LEGEND_LINE * (points.length + 2)),
  };
}

/** The kernels by number, with their part of the bound and of the time. */
function kernelLegend(points: readonly Point[], top: number): string[] {
  const parts: string[] = [];
  const [ofBound, share] = [WIDTH - MARGIN - 70, WIDTH - MARGIN];
  const nameX = LEGEND_X + 32;
  const characters = Math.floor((ofBound - 64 - nameX) / CHARACTER_WIDTH);
  let y = top;
  parts.push(text(ofBound, y, "of bound", "muted end"), text(share, y, "of time", "muted end"));
  let group = "";
  points.forEach(({ kernel, color, of }, index) => {
    if (of !== group) {
      group = of;
      if (index > 0) y += LEGEND_LINE;
      parts.push(text(LEGEND_X, y, of));
    }
    y += LEGEND_LINE;
    const name = `${kernel.kernel} ${kernel.shape}`;
    const swatch = { x: LEGEND_X, y: y - 11, width: 24, height: 14, paint: `fill="${color}"` };
    parts.push(
      rectangle(swatch),
      text(LEGEND_X + 12, y, String(index + 1), "small middle"),
      withTooltip(name, text(nameX, y, shorten(name, characters))),
      text(ofBound, y, percent(kernel.ofBound), "muted end"),
      text(share, y, percent(kernel.share), "muted end"),
    );
  });
  return parts;
}

/** The report as an SVG document. */
export function benchSvg(report: BenchReport): string {
  const { model, device, method, date, checks } = report;
  const title = `${model.name}${model.randomWeights ? ", random weights" : ""} on ${device.name}`;
  const failed = checks.filter(({ passed }) => !passed).length;
  const detail = [
    `median of ${method.runs} runs, bars from the least to the most`,
    `reading at ${figure(report.ceilings.read.bytesPerSecond.median / 1e9)} GB/s`,
    date.slice(0, 10),
    ...(failed > 0 ? [`${failed} CHECKS FAILED`] : []),
  ].join(" · ");
  const barsTop = MARGIN + 82;
  const rooflineTop = barsTop + BARS_HEIGHT + 34 + 60;
  const { parts, height } = roofline(report, rooflineTop);
  return svgDocument(
    {
      title,
      width: WIDTH,
      height: parts.length === 0 ? rooflineTop - 20 : rooflineTop + height + MARGIN,
      style: STYLE,
    },
    [
      text(MARGIN, MARGIN + 18, title, "title"),
      text(MARGIN, MARGIN + 38, detail, "muted"),
      ...prefillBars(report, barsTop),
      ...decodeBars(report, barsTop),
      ...parts,
    ],
  );
}
