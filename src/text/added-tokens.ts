/** Tokens that are found in the text before anything else is done to it. */
export interface AddedToken {
  readonly id: number;
  readonly text: string;
  /** Swallows white space on its left, or on its right. */
  readonly trimLeft: boolean;
  readonly trimRight: boolean;
}

/** A run of text, or an added token. */
export type Section = string | AddedToken;

/**
 * Finds added tokens in text: the leftmost first, and of those that start together the longest.
 * Candidates are filed by their first UTF-16 unit, so that text without one costs a look-up a unit.
 */
export class AddedTokenSplitter {
  readonly #byFirst = new Map<number, AddedToken[]>();

  constructor(tokens: readonly AddedToken[]) {
    for (const token of tokens) {
      if (token.text === "") continue;
      const first = token.text.charCodeAt(0);
      const list = this.#byFirst.get(first);
      if (list === undefined) this.#byFirst.set(first, [token]);
      else list.push(token);
    }
    for (const list of this.#byFirst.values()) list.sort((a, b) => b.text.length - a.text.length);
  }

  get isEmpty(): boolean {
    return this.#byFirst.size === 0;
  }

  /** Splits `text`; empty runs are left out. */
  split(text: string): Section[] {
    if (this.#byFirst.size === 0) return text === "" ? [] : [text];
    const sections: Section[] = [];
    let start = 0;
    for (let at = 0; at < text.length;) {
      const token = this.#byFirst
        .get(text.charCodeAt(at))
        ?.find((candidate) => text.startsWith(candidate.text, at));
      if (token === undefined) {
        at++;
        continue;
      }
      let run = text.slice(start, at);
      if (token.trimLeft) run = run.trimEnd();
      if (run !== "") sections.push(run);
      sections.push(token);
      at += token.text.length;
      if (token.trimRight) while (at < text.length && /\s/.test(text[at]!)) at++;
      start = at;
    }
    if (start < text.length) sections.push(text.slice(start));
    return sections;
  }
}
