import type { ByteSource } from "../../byte-source.ts";
import type { RowSource } from "../../checkpoint.ts";
import type { ByteRange } from "./byte-range.ts";

/**
 * Row sources by the bytes they read and the form they read them in, so that a constant that several
 * delegates or methods use is on the GPU once.
 */
export class RowSourceCache {
  readonly #sources = new Map<ByteSource, Map<string, RowSource>>();

  /** The source of these ranges in this form, made by `make` the first time. */
  get(ranges: readonly ByteRange[], form: string, make: () => RowSource): RowSource {
    const [first] = ranges;
    if (first === undefined) throw new Error("row sources: no range");
    let known = this.#sources.get(first.source);
    if (known === undefined) this.#sources.set(first.source, (known = new Map()));
    const sameFile = ranges.every(({ source }) => source === first.source);
    const where = ranges.map(({ offset, byteLength }) => `${offset}+${byteLength}`).join();
    const key = `${where} ${form}`;
    const found = sameFile ? known.get(key) : undefined;
    if (found !== undefined) return found;
    const made = make();
    if (sameFile) known.set(key, made);
    return made;
  }
}
