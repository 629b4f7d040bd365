import { RequestError } from "../errors.ts";

export interface StopResult {
  /** Text that is certainly before any stop string. */
  readonly text: string;
  /** The stop string that was found; nothing comes after it. */
  readonly stop: string | undefined;
}

/**
 * Finds stop strings in text that comes in pieces. Text that may still turn out to be part of a stop
 * string is withheld, so that whatever the pieces, what comes out is the text up to the first
 * occurrence of any stop string.
 */
export class StopMatcher {
  readonly #stops: readonly string[];
  readonly #longest: number;
  #withheld = "";
  #stopped: string | undefined;

  /** Throws `RequestError` where a stop string is empty. */
  constructor(stops: readonly string[]) {
    if (stops.some((stop) => stop === ""))
      throw new RequestError("stop strings: one is empty; each must have at least one character");
    this.#stops = [...stops];
    this.#longest = Math.max(0, ...stops.map((stop) => stop.length));
  }

  /** Takes the next piece. After a stop string was found, everything is swallowed. */
  push(piece: string): StopResult {
    if (this.#stopped !== undefined) return { text: "", stop: this.#stopped };
    this.#withheld += piece;
    const found = this.#find();
    const open = this.#openFrom();
    // An unfinished stop string that began earlier would be the first, so it is waited for.
    if (found !== undefined && found.at <= open) return this.#stop(found);
    return { text: this.#release(open), stop: undefined };
  }

  /** Ends the text: nothing can be completed any more. */
  flush(): StopResult {
    if (this.#stopped !== undefined) return { text: "", stop: this.#stopped };
    const found = this.#find();
    if (found !== undefined) return this.#stop(found);
    return { text: this.#release(this.#withheld.length), stop: undefined };
  }

  #find(): { at: number; stop: string } | undefined {
    let first: { at: number; stop: string } | undefined;
    for (const stop of this.#stops) {
      const at = this.#withheld.indexOf(stop);
      if (at >= 0 && (first === undefined || at < first.at)) first = { at, stop };
    }
    return first;
  }

  /** Where the withheld text's first end that begins a stop string starts; its length if none. */
  #openFrom(): number {
    const text = this.#withheld;
    for (let at = Math.max(0, text.length - this.#longest + 1); at < text.length; at++) {
      const end = text.slice(at);
      if (this.#stops.some((stop) => stop.length > end.length && stop.startsWith(end))) return at;
    }
    return text.length;
  }

  #release(count: number): string {
    const text = this.#withheld.slice(0, count);
    this.#withheld = this.#withheld.slice(count);
    return text;
  }

  #stop(found: { at: number; stop: string }): StopResult {
    this.#stopped = found.stop;
    const text = this.#withheld.slice(0, found.at);
    this.#withheld = "";
    return { text, stop: found.stop };
  }
}
