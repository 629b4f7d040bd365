import type { LoadProgress } from "../api.ts";
import { formatBytes } from "./quantities.ts";

/** Loads that are faster than this show no bar: it would only flicker. */
const SHOW_AFTER_MS = 500;
const REDRAW_AFTER_MS = 100;
const BAR_WIDTH = 24;
const CLEAR_LINE = "\r\u001B[K";

/** What a bar is drawn on: `process.stderr`. */
export interface Terminal {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** Shows how far a load is, on a terminal and only where it takes a while. */
export class ProgressBar {
  readonly #terminal: Terminal;
  readonly #now: () => number;
  readonly #start: number;
  #drawnAt = -Infinity;

  constructor(terminal: Terminal, now: () => number = () => performance.now()) {
    this.#terminal = terminal;
    this.#now = now;
    this.#start = now();
  }

  /** Takes a report; `onProgress` of a load. */
  readonly update = (progress: LoadProgress): void => {
    const now = this.#now();
    if (this.#terminal.isTTY !== true || now - this.#start < SHOW_AFTER_MS) return;
    if (now - this.#drawnAt < REDRAW_AFTER_MS) return;
    this.#drawnAt = now;
    this.#terminal.write(CLEAR_LINE + progressLine(progress));
  };

  /** Removes the bar. */
  clear(): void {
    if (this.#drawnAt !== -Infinity) this.#terminal.write(CLEAR_LINE);
    this.#drawnAt = -Infinity;
  }
}

const ACTIVITIES: Readonly<Record<LoadProgress["status"], string>> = {
  open: "opening the model …",
  tune: "measuring kernels on this device …",
  weights: "loading …",
  compile: "compiling shaders …",
  ready: "",
};

function progressLine({ status, loaded, total }: LoadProgress): string {
  if (status !== "weights" || total === 0) {
    return ACTIVITIES[status];
  }
  const fraction = Math.min(1, loaded / total);
  const filled = Math.round(fraction * BAR_WIDTH);
  const bar = "█".repeat(filled) + "░".repeat(BAR_WIDTH - filled);
  return `loading ${bar} ${Math.floor(fraction * 100)} % of ${formatBytes(total)}`;
}
