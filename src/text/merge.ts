/**
 * Byte-pair merging: neighbours are joined, best rank first, until no rule joins any. The pairs wait
 * in a binary heap, so that a word of n symbols takes O(n log n) however long it is: text without
 * spaces (base64, Chinese, SentencePiece's whole line) is one word.
 */

/** Which neighbours may be joined. Symbols are non-negative integers. */
export interface MergeRule {
  /** Rank of joining two neighbours, lower first, below 2^21; -1 where they do not join. */
  rank(left: number, right: number): number;
  /** The symbol that two neighbours of a rank of 0 or more become. */
  join(left: number, right: number): number;
}

/** One number orders the heap: the rank first, then the position from the left. 21 + 32 bits. */
const POSITIONS = 2 ** 32;

/** A binary min-heap of numbers. */
class MinHeap {
  readonly #items: number[] = [];

  push(value: number): void {
    const items = this.#items;
    let i = items.push(value) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = items[parent]!;
      if (above <= value) break;
      items[i] = above;
      i = parent;
    }
    items[i] = value;
  }

  /** Removes the least value; undefined where none is left. */
  pop(): number | undefined {
    const items = this.#items;
    const least = items[0];
    const last = items.pop();
    if (last === undefined || items.length === 0) return least;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && items[child + 1]! < items[child]!) child++;
      if (items[child]! >= last) break;
      items[i] = items[child]!;
      i = child;
    }
    items[i] = last;
    return least;
  }
}

/** A word's symbols as a doubly linked list over the positions they started at. */
class Word {
  readonly #rule: MergeRule;
  readonly #symbols: Int32Array;
  readonly #previous: Int32Array;
  readonly #next: Int32Array;
  /** Rank of the pair that starts at a position, -1 for none: tells stale heap entries apart. */
  readonly #ranks: Int32Array;
  readonly #heap = new MinHeap();

  constructor(symbols: readonly number[], rule: MergeRule) {
    const count = symbols.length;
    this.#rule = rule;
    this.#symbols = Int32Array.from(symbols);
    this.#previous = new Int32Array(count);
    this.#next = new Int32Array(count);
    for (let i = 0; i < count; i++) {
      this.#previous[i] = i - 1;
      this.#next[i] = i + 1 < count ? i + 1 : -1;
    }
    this.#ranks = new Int32Array(count);
    for (let i = 0; i < count; i++) this.#rankPair(i);
  }

  #rankPair(at: number): void {
    const next = this.#next[at]!;
    const rank = next < 0 ? -1 : this.#rule.rank(this.#symbols[at]!, this.#symbols[next]!);
    this.#ranks[at] = rank;
    if (rank >= 0) this.#heap.push(rank * POSITIONS + at);
  }

  #joinPair(at: number): void {
    const right = this.#next[at]!;
    const after = this.#next[right]!;
    this.#symbols[at] = this.#rule.join(this.#symbols[at]!, this.#symbols[right]!);
    this.#ranks[right] = -1;
    this.#next[at] = after;
    if (after >= 0) this.#previous[after] = at;
    this.#rankPair(at);
    const before = this.#previous[at]!;
    if (before >= 0) this.#rankPair(before);
  }

  mergeAll(): number[] {
    for (let key = this.#heap.pop(); key !== undefined; key = this.#heap.pop()) {
      const at = key % POSITIONS;
      if (this.#ranks[at] === (key - at) / POSITIONS) this.#joinPair(at);
    }
    const merged: number[] = [];
    for (let at = 0; at >= 0; at = this.#next[at]!) merged.push(this.#symbols[at]!);
    return merged;
  }
}

/** Joins neighbours of `symbols` by `rule`, the leftmost first among equals; returns what is left. */
export function mergeSymbols(symbols: readonly number[], rule: MergeRule): number[] {
  return symbols.length < 2 ? [...symbols] : new Word(symbols, rule).mergeAll();
}
