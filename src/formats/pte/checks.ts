import { FormatError } from "../../errors.ts";
import type { ByteRange } from "./byte-range.ts";

/** A 64-bit size or offset as a number. Throws `FormatError` beyond 2^53: no file is so large. */
export function toSafeNumber(value: bigint, where: string): number {
  if (value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new FormatError(`${where}: ${value} is no size or offset`);
  }
  return Number(value);
}

/** Checks that `index` is one of `count`, and returns it. */
export function checkIndex(index: number, count: number, where: string, what: string): number {
  if (!Number.isInteger(index) || index < 0 || index >= count) {
    throw new FormatError(`${where}: ${what} ${index}, but there are ${count}`);
  }
  return index;
}

/** The element at a checked index. */
export function at<T>(items: readonly T[], index: number, where: string, what: string): T {
  return items[checkIndex(index, items.length, where, what)] as T;
}

/** Part of a range. Throws `FormatError` where it passes the end. */
export function subRange(
  range: ByteRange,
  offset: number,
  byteLength: number,
  where: string,
): ByteRange {
  if (offset < 0 || byteLength < 0 || offset + byteLength > range.byteLength) {
    throw new FormatError(
      `${where}: bytes ${offset}…${offset + byteLength} pass the end at ${range.byteLength}`,
    );
  }
  return { source: range.source, offset: range.offset + offset, byteLength };
}
