import type { RowSource } from "../checkpoint.ts";

/** Row sources of one kind, one after another, so that one buffer holds them all. */
export class JoinedRows implements RowSource {
  readonly rows: number;
  readonly storedRowBytes: number;
  readonly planeRowBytes: readonly number[];
  readonly #parts: readonly RowSource[];

  /** All parts must have rows of the same sizes: see {@link canJoinRows}. */
  constructor(parts: readonly [RowSource, ...RowSource[]]) {
    this.#parts = parts;
    this.rows = parts.reduce((sum, { rows }) => sum + rows, 0);
    this.storedRowBytes = parts[0].storedRowBytes;
    this.planeRowBytes = parts[0].planeRowBytes;
  }

  async read(start: number, count: number, signal?: AbortSignal): Promise<Uint8Array[]> {
    const planes = this.planeRowBytes.map((bytes) => new Uint8Array(bytes * count));
    let first = 0;
    for (const part of this.#parts) {
      const from = Math.max(start, first);
      const to = Math.min(start + count, first + part.rows);
      if (from < to) {
        const read = await part.read(from - first, to - from, signal);
        read.forEach((bytes, plane) => {
          planes[plane]?.set(bytes, (from - start) * (this.planeRowBytes[plane] ?? 0));
        });
      }
      first += part.rows;
    }
    return planes;
  }
}

/** Alignment of a buffer's part that is bound: what every device allows. */
const BINDING_ALIGNMENT = 256;

/** Whether parts can lie one after another and each still be bound on its own. */
export function canJoinRows(parts: readonly RowSource[]): boolean {
  const [first] = parts;
  if (first === undefined) return false;
  const alike = parts.every(
    ({ storedRowBytes, planeRowBytes }) =>
      storedRowBytes === first.storedRowBytes &&
      planeRowBytes.length === first.planeRowBytes.length &&
      planeRowBytes.every((bytes, plane) => bytes === first.planeRowBytes[plane]),
  );
  const aligned = parts
    .slice(0, -1)
    .every(({ rows }) =>
      first.planeRowBytes.every((bytes) => (rows * bytes) % BINDING_ALIGNMENT === 0),
    );
  return alike && aligned;
}
