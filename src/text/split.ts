import { SplitPreTokenizer } from "@huggingface/tokenizers";

/** Splits one run of text into pieces that are encoded apart; `first` where it begins the text. */
export type Splitter = (text: string, first: boolean) => string[];

/** What becomes of the matches of a pattern, by the names of `tokenizer.json`. */
export const SPLIT_BEHAVIORS = [
  "Isolated",
  "Removed",
  "MergedWithPrevious",
  "MergedWithNext",
  "Contiguous",
] as const;
export type SplitBehavior = (typeof SPLIT_BEHAVIORS)[number];

export type SplitPattern = { readonly Regex: string } | { readonly String: string };

interface Run {
  text: string;
  readonly isMatch: boolean;
}

/** `text` as alternating runs that match `pattern` and that do not; none is empty. */
function runs(text: string, pattern: RegExp): Run[] {
  const found: Run[] = [];
  let start = 0;
  for (const match of text.matchAll(pattern)) {
    if (match[0] === "") continue;
    if (match.index > start) found.push({ text: text.slice(start, match.index), isMatch: false });
    found.push({ text: match[0], isMatch: true });
    start = match.index + match[0].length;
  }
  if (start < text.length) found.push({ text: text.slice(start), isMatch: false });
  return found;
}

/** Joins each match to a neighbour, or like to like, as `behavior` says. */
function joinRuns(found: readonly Run[], behavior: SplitBehavior): Run[] {
  const joined: Run[] = [];
  for (const run of found) {
    const last = joined.at(-1);
    const joins =
      last !== undefined &&
      (behavior === "MergedWithPrevious"
        ? run.isMatch && !last.isMatch
        : behavior === "MergedWithNext"
          ? last.isMatch && !run.isMatch
          : run.isMatch === last.isMatch);
    // A match joins one run only: what it made takes no more.
    if (joins)
      joined[joined.length - 1] = {
        text: last.text + run.text,
        isMatch: run.isMatch,
      };
    else joined.push(run);
  }
  return joined;
}

/**
 * A splitter by a pattern in Oniguruma's syntax, which the library turns into a JavaScript `RegExp`.
 * Throws `SyntaxError` where it cannot. `invert`: what lies between matches counts as the match.
 */
export function splitBy(
  pattern: SplitPattern,
  behavior: SplitBehavior = "Isolated",
  invert = false,
): Splitter {
  // The library's type asks for behaviours that its constructor does not use.
  const config = { type: "Split", pattern, behavior, invert: false };
  const regex = new SplitPreTokenizer(config as ConstructorParameters<typeof SplitPreTokenizer>[0])
    .pattern;
  if (regex === null) throw new SyntaxError("the pattern is neither a Regex nor a String");
  return (text) => {
    let found = runs(text, regex);
    if (invert) found = found.map((run) => ({ text: run.text, isMatch: !run.isMatch }));
    if (behavior === "Removed") found = found.filter((run) => !run.isMatch);
    else if (behavior !== "Isolated") found = joinRuns(found, behavior);
    return found.map((run) => run.text);
  };
}

/** Applies splitters one after the other, each to the pieces of the one before. */
export function splitInSequence(splitters: readonly Splitter[]): Splitter {
  return (text, first) =>
    splitters.reduce(
      (pieces, split) => pieces.flatMap((piece, index) => split(piece, first && index === 0)),
      [text],
    );
}
