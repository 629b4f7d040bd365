/** When to give up. */
export class Deadline {
  readonly #endMs: number;
  readonly #signal: AbortSignal | undefined;

  constructor(budgetMs: number, signal?: AbortSignal) {
    this.#endMs = performance.now() + budgetMs;
    this.#signal = signal;
  }

  /** True once no more time should be spent. Throws the signal's reason when aborted. */
  expired(): boolean {
    this.#signal?.throwIfAborted();
    return performance.now() >= this.#endMs;
  }

  /** One that ends after a part of the time that is left. */
  part(fraction: number): Deadline {
    return new Deadline(Math.max(0, this.#endMs - performance.now()) * fraction, this.#signal);
  }
}
