/**
 * The profile as a picture: per phase all runs on one line, and below it the run of median length
 * with a lane per kernel. Static SVG; what has no room is in tooltips.
 */
import {
  busyNs,
  describeRun,
  drawnStartNs,
  PHASES,
  runsOf,
  spanOf,
  summarizeKernels,
} from "./profile.ts";
import type { KernelSummary, ProfiledRun, ProfilePhase } from "./profile.ts";
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
} from "./svg.ts";

// All in pixels.
const WIDTH = 1400;
const MARGIN = 24;
/** Where the time axis begins, right of names and figures. */
const AXIS_X = 440;
const AXIS_WIDTH = WIDTH - MARGIN - AXIS_X;
/** Right edges of the figures: calls, share, time. */
const FIGURES_X = [290, 358, AXIS_X - 12] as const;
const LANE = 22;
const BAR = 16;
/** Narrower bars would vanish. */
const MIN_BAR_WIDTH = 1;
/** A name cut shorter than this tells nothing. */
const MIN_CHARACTERS = 8;
const MAX_TICKS = 8;

/** Of the kernels that the colours do not reach: the shortest. */
const OTHER_COLOR = "#bcc2cd";

const STYLE = [
  ".run{fill:#cbd5e3;stroke:#fff;stroke-width:.5}",
  ".shown{fill:#3f5a86}",
  ".fan{fill:#3f5a86;opacity:.12}",
  "rect:hover{opacity:.75}",
].join("");

/** `640 ns`, `12.3 µs`, `4.56 ms`. */
function formatNs(ns: number): string {
  if (ns < 1000) return `${Math.round(ns)} ns`;
  const [value, unit] = ns < 1e6 ? [ns / 1e3, "µs"] : ns < 1e9 ? [ns / 1e6, "ms"] : [ns / 1e9, "s"];
  return `${value >= 100 ? Math.round(value) : Number(value.toPrecision(3))} ${unit}`;
}

/** Maps times of a span to the axis. */
interface Scale {
  readonly startNs: number;
  readonly lengthNs: number;
  x(ns: number): number;
  width(ns: number): number;
}

function scaleOf(startNs: number, endNs: number): Scale {
  const lengthNs = Math.max(1, endNs - startNs);
  const width = (ns: number) => (ns / lengthNs) * AXIS_WIDTH;
  return { startNs, lengthNs, width, x: (ns) => AXIS_X + width(ns - startNs) };
}

function axis(scale: Scale, top: number, bottom: number): string[] {
  const step = tickStep(scale.lengthNs, MAX_TICKS);
  const parts: string[] = [];
  for (let tick = 0; tick * step <= scale.lengthNs * 1.0001; tick++) {
    const x = AXIS_X + scale.width(tick * step);
    parts.push(line(x, top, x, bottom, 'class="tick"'));
    const atEdge = x > WIDTH - MARGIN - 30;
    const label = tick === 0 ? "0" : formatNs(tick * step);
    parts.push(text(x, top - 5, label, `muted ${atEdge ? "end" : "middle"}`));
  }
  return parts;
}

/** The run whose length is the middle one: neither the first step's warm-up nor an outlier. */
function medianRun(runs: readonly ProfiledRun[]): ProfiledRun | undefined {
  const sorted = [...runs].sort((a, b) => busyNs(a) - busyNs(b));
  return sorted[Math.floor(sorted.length / 2)];
}

const plural = (count: number, what: string): string =>
  `${count.toLocaleString("en-US")} ${what}${count === 1 ? "" : "s"}`;

/** Appends to a picture downwards. */
class Canvas {
  readonly parts: string[] = [];
  y = MARGIN;
  readonly #colorOf: ReadonlyMap<string, string>;

  constructor(colorOf: ReadonlyMap<string, string>) {
    this.#colorOf = colorOf;
  }

  #fill(kernel: string): string {
    return `fill="${this.#colorOf.get(kernel) ?? OTHER_COLOR}"`;
  }

  heading(title: string, detail: string): void {
    this.y += 18;
    this.parts.push(text(MARGIN, this.y, title, "title"));
    this.y += 20;
    this.parts.push(text(MARGIN, this.y, detail, "muted"));
    this.y += 14;
  }

  phase(runs: readonly ProfiledRun[], phase: ProfilePhase): void {
    const shown = medianRun(runs);
    const span = shown && spanOf(shown);
    if (shown === undefined || span === undefined) return;
    const tokens = runs.reduce((sum, run) => sum + run.tokens, 0);
    const dispatches = runs.reduce((sum, { records }) => sum + records.length, 0);
    const totalNs = runs.reduce((sum, run) => sum + busyNs(run), 0);
    this.y += 30;
    this.parts.push(text(MARGIN, this.y, phase, "phase"));
    const figures = [
      plural(tokens, "token"),
      plural(runs.length, "run"),
      plural(dispatches, "dispatch").replace("dispatchs", "dispatches"),
      `${formatNs(totalNs)} in kernels`,
      `${formatNs(totalNs / tokens)} a token`,
    ];
    this.parts.push(text(MARGIN + 90, this.y, figures.join(" · "), "muted"));
    const scale = scaleOf(span.startNs, span.endNs);
    if (runs.length > 1) this.#overview(runs, shown);
    this.#lanes(shown, scale);
  }

  /** All runs of a phase on one line, and a fan from the one that is shown to its lanes. */
  #overview(runs: readonly ProfiledRun[], shown: ProfiledRun): void {
    const spans = runs.flatMap((run) => {
      const span = spanOf(run);
      return span === undefined ? [] : [{ run, ...span }];
    });
    const scale = scaleOf(
      Math.min(...spans.map(({ startNs }) => startNs)),
      Math.max(...spans.map(({ endNs }) => endNs)),
    );
    this.y += 36;
    this.parts.push(...axis(scale, this.y, this.y + LANE));
    this.parts.push(text(MARGIN, this.y + 15, "all runs", "muted"));
    for (const { run, startNs, endNs } of spans) {
      const box = {
        x: scale.x(startNs),
        y: this.y + 3,
        width: Math.max(MIN_BAR_WIDTH, scale.width(endNs - startNs)),
        height: BAR,
      };
      const tooltip = `${describeRun(run)}\n${formatNs(endNs - startNs)}, of which ${formatNs(busyNs(run))} in kernels`;
      this.parts.push(
        rectangle({ ...box, paint: `class="${run === shown ? "shown" : "run"}"`, tooltip }),
      );
      if (run === shown) this.#fan(box.x, box.x + box.width, box.y + BAR);
    }
    this.y += LANE;
  }

  #fan(left: number, right: number, top: number): void {
    const bottom = top + 20;
    const points = `${round(left)},${top} ${round(right)},${top} ${AXIS_X + AXIS_WIDTH},${bottom} ${AXIS_X},${bottom}`;
    this.parts.push(`<polygon points="${points}" class="fan"/>`);
  }

  /** A run's dispatches: on one line together, then a lane per kernel. */
  #lanes(run: ProfiledRun, scale: Scale): void {
    const kernels = summarizeKernels(run.records);
    this.y += 40;
    const bottom = this.y + LANE * (kernels.length + 1);
    kernels.forEach((_, lane) => {
      if (lane % 2 !== 0) return;
      const y = round(this.y + LANE * (lane + 1));
      const width = WIDTH - 2 * MARGIN + 8;
      this.parts.push(
        `<rect x="${MARGIN - 4}" y="${y}" width="${width}" height="${LANE}" class="lane"/>`,
      );
    });
    this.parts.push(...axis(scale, this.y, bottom));
    this.parts.push(text(MARGIN, this.y + 15, describeRun(run), "muted"));
    this.#figures(["calls", "share", "time"], this.y - 5);
    this.#figures([String(run.records.length), "", formatNs(busyNs(run))], this.y + 15);
    const laneOf = new Map(kernels.map(({ kernel }, lane) => [kernel, lane + 1]));
    kernels.forEach((summary, lane) => this.#laneLabel(summary, this.y + LANE * (lane + 1)));
    for (const record of run.records) {
      const { kernel, durationNs, index, grid, workgroup } = record;
      const startNs = drawnStartNs(record);
      const tooltip =
        `${kernel}\n${formatNs(durationNs)} from ${formatNs(startNs - scale.startNs)}, ` +
        `dispatch ${index}\n${grid.join(" × ")} workgroups of ${workgroup.join(" × ")}`;
      const width = Math.max(MIN_BAR_WIDTH, scale.width(durationNs));
      const box = { x: scale.x(startNs), width, height: BAR, paint: this.#fill(kernel), tooltip };
      for (const lane of [0, laneOf.get(kernel)!]) {
        this.parts.push(rectangle({ ...box, y: this.y + LANE * lane + 3 }));
      }
      const characters = Math.floor((width - 8) / CHARACTER_WIDTH);
      if (characters >= MIN_CHARACTERS) {
        this.parts.push(text(box.x + 4, this.y + 15, shorten(kernel, characters)));
      }
    }
    this.y = bottom;
  }

  #laneLabel({ kernel, calls, totalNs, share }: KernelSummary, y: number): void {
    const color = `<rect x="${MARGIN}" y="${round(y + 6)}" width="10" height="10" ${this.#fill(kernel)}/>`;
    this.parts.push(color);
    this.parts.push(withTooltip(kernel, text(MARGIN + 18, y + 15, shorten(kernel, 28))));
    this.#figures([String(calls), `${(100 * share).toFixed(1)} %`, formatNs(totalNs)], y + 15);
  }

  #figures(cells: readonly string[], y: number): void {
    cells.forEach((cell, column) => {
      this.parts.push(text(FIGURES_X[column]!, y, cell, "end muted"));
    });
  }
}

/** Colours by rank of the whole time, so that a kernel has one colour in both phases. */
function colorsOf(runs: readonly ProfiledRun[]): ReadonlyMap<string, string> {
  const kernels = summarizeKernels(runs.flatMap(({ records }) => records));
  return new Map(kernels.map(({ kernel }, rank) => [kernel, COLORS[rank] ?? OTHER_COLOR]));
}

/** The profile's timeline as an SVG document. `title` says what ran, `detail` on what. */
export function profileSvg(
  runs: readonly ProfiledRun[],
  { title = "GPU time by kernel", detail = "" }: { title?: string; detail?: string } = {},
): string {
  const canvas = new Canvas(colorsOf(runs));
  const none = runs.every(({ records }) => records.length === 0);
  canvas.heading(title, none ? "no times were taken" : detail);
  for (const phase of PHASES) canvas.phase(runsOf(runs, phase), phase);
  const height = Math.ceil(canvas.y + MARGIN);
  return svgDocument({ title, width: WIDTH, height, style: STYLE }, canvas.parts);
}
