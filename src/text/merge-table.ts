import { FormatError } from "../errors.ts";
import type { MergeRule } from "./merge.ts";

/** Ranks share a number with a position (merge.ts); the largest real vocabularies have 450,000. */
const MAX_MERGES = 2 ** 21 - 1;

/**
 * A list of merges as a hash table from two token ids to the merge's index. Open addressing over
 * typed arrays: 280,000 merges take 7 MB, and none of them a string.
 */
export class MergeTable implements MergeRule {
  readonly #left: Int32Array;
  readonly #right: Int32Array;
  readonly #joined: Int32Array;
  /** Index of a merge plus one; 0 where the slot is free. Power-of-two length. */
  readonly #slots: Int32Array;

  /** `triples` holds left, right and joined id of every merge, best first. */
  constructor(triples: Int32Array) {
    const count = triples.length / 3;
    this.#left = new Int32Array(count);
    this.#right = new Int32Array(count);
    this.#joined = new Int32Array(count);
    let size = 2;
    while (size < count * 2) size *= 2;
    this.#slots = new Int32Array(size);
    for (let i = 0; i < count; i++) {
      this.#left[i] = triples[3 * i]!;
      this.#right[i] = triples[3 * i + 1]!;
      this.#joined[i] = triples[3 * i + 2]!;
      const slot = this.#slotOf(this.#left[i]!, this.#right[i]!);
      // A pair listed twice keeps its later rank, as in the reference implementation.
      this.#slots[slot] = i + 1;
    }
  }

  #slotOf(left: number, right: number): number {
    const mask = this.#slots.length - 1;
    let hash = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b);
    hash ^= hash >>> 15;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const merge = this.#slots[slot]! - 1;
      if (merge < 0 || (this.#left[merge] === left && this.#right[merge] === right)) return slot;
    }
  }

  rank(left: number, right: number): number {
    return this.#slots[this.#slotOf(left, right)]! - 1;
  }

  join(left: number, right: number): number {
    return this.#joined[this.rank(left, right)]!;
  }
}

/**
 * Reads a list of merges, each `"left right"` or `["left", "right"]`. Throws `FormatError` where one
 * is not two tokens whose concatenation is a token.
 */
export function parseMerges(
  where: string,
  merges: readonly unknown[],
  ids: ReadonlyMap<string, number>,
): MergeTable {
  if (merges.length > MAX_MERGES)
    throw new FormatError(`${where}: ${merges.length} merges; at most ${MAX_MERGES} are supported`);
  const triples = new Int32Array(merges.length * 3);
  merges.forEach((merge, index) => {
    const [left, right] = splitMerge(where, merge, index);
    const tokens = [left, right, left + right];
    tokens.forEach((text, part) => {
      const id = ids.get(text);
      if (id === undefined)
        throw new FormatError(
          `${where}: merge ${index} (${JSON.stringify(merge)}): ${JSON.stringify(text)} is not a token`,
        );
      triples[3 * index + part] = id;
    });
  });
  return new MergeTable(triples);
}

function splitMerge(where: string, merge: unknown, index: number): [string, string] {
  if (typeof merge === "string") {
    // The first token is at least one character, which may itself be a space.
    const space = merge.indexOf(" ", 1);
    if (space > 0 && space + 1 < merge.length)
      return [merge.slice(0, space), merge.slice(space + 1)];
  } else if (Array.isArray(merge) && merge.length === 2) {
    const [left, right] = merge as unknown[];
    if (typeof left === "string" && typeof right === "string" && left !== "" && right !== "")
      return [left, right];
  }
  throw new FormatError(
    `${where}: merge ${index} is ${JSON.stringify(merge)}; expected two tokens separated by a space`,
  );
}
