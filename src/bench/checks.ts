/** One thing that had to hold for a figure to mean anything. */
export interface Check {
  readonly what: string;
  readonly passed: boolean;
  /** What was found, and what was allowed. */
  readonly detail: string;
}

/** Gathers checks: a benchmark goes on after one failed, and says so at the end. */
export class Checks {
  readonly #checks: Check[] = [];

  add(what: string, passed: boolean, detail: string): void {
    this.#checks.push({ what, passed, detail });
  }

  get all(): readonly Check[] {
    return this.#checks;
  }
}
