import process from "node:process";

/** What the shell expects of a program that Ctrl-C ended. */
export const INTERRUPTED = 130;

/** Thrown by what a signal of {@link Interruption} aborts. */
class Interrupted extends Error {
  override readonly name = "Interrupted";
}

/** Ctrl-C as an `AbortSignal`: the first press aborts, the second ends the process at once. */
export class Interruption {
  readonly #controller = new AbortController();
  readonly #listener = (): void => {
    if (this.#controller.signal.aborted) process.exit(INTERRUPTED);
    this.abort();
  };

  constructor() {
    process.on("SIGINT", this.#listener);
    process.on("SIGTERM", this.#listener);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Ends the work as Ctrl-C does: for a reader of our output that is gone. */
  abort(): void {
    this.#controller.abort(new Interrupted("interrupted"));
  }

  /** Stops listening. */
  dispose(): void {
    process.off("SIGINT", this.#listener);
    process.off("SIGTERM", this.#listener);
  }
}
