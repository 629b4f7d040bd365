/** How far ahead decoding is queued. */
export interface Ahead {
  /** Steps encoded for one submit. Their tokens come back together. */
  readonly steps: number;
  /** Steps queued before the first of them has come back. */
  readonly inFlight: number;
}

/** Says how far ahead to queue. Times are in milliseconds. */
export interface StepPace {
  /** A request begins. */
  begin(): void;
  /** A token is there. The first is the prompt's. */
  arrived(at: number): void;
  /** What to queue now. `single`: a submit can have no more than one step. */
  ahead(single: boolean): Ahead;
}

/**
 * Steps queued at least: enough to hide the way to the CPU and back; on a software adapter, where a
 * step costs what it computes, fewer are wasted when a text ends.
 */
const MIN_IN_FLIGHT = 4;
const IN_FLIGHT_SOFTWARE = 2;

/** Between two submits a GPU rests, and the CPU pays for each: four steps make that small. */
const MAX_STEPS = 4;
/** Longest that tokens may take which come back together: a reader does not see that they do. */
const MAX_SUBMIT_MS = 4;
/** Steps after which a request's speed is known. */
const MEASURED_STEPS = 8;

/** Finds from when tokens arrive how many steps a submit should have. */
export class ArrivalPace implements StepPace {
  readonly #software: boolean;
  /** Of a step, from this request or the one before; 0 while nothing is known. */
  #stepMs = 0;
  #firstAt = 0;
  #arrived = 0;

  constructor({ software }: { readonly software: boolean }) {
    this.#software = software;
  }

  begin(): void {
    this.#arrived = 0;
  }

  arrived(at: number): void {
    if (this.#arrived === 0) this.#firstAt = at;
    else if (this.#arrived >= MEASURED_STEPS) this.#stepMs = (at - this.#firstAt) / this.#arrived;
    this.#arrived += 1;
  }

  ahead(single: boolean): Ahead {
    if (this.#software) return { steps: 1, inFlight: IN_FLIGHT_SOFTWARE };
    const fitting = this.#stepMs === 0 || single ? 1 : Math.floor(MAX_SUBMIT_MS / this.#stepMs);
    const steps = Math.max(1, Math.min(MAX_STEPS, fitting));
    // One submit runs. While the CPU is late with the next, others wait; before the first token only one, as
    // the token itself would be seen late.
    const waiting = this.#arrived === 0 ? 1 : 2;
    return { steps, inFlight: Math.max(MIN_IN_FLIGHT, (1 + waiting) * steps) };
  }
}
