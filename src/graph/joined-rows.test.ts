import { expect, test } from "vitest";
import type { RowSource } from "../checkpoint.ts";
import { canJoinRows, JoinedRows } from "./joined-rows.ts";

/** Rows whose bytes are all `first`, `first` + 1, … in a plane of 4 and one of 2 bytes. */
function counted(first: number, rows: number, storedRowBytes = 6): RowSource {
  return {
    rows,
    storedRowBytes,
    planeRowBytes: [4, 2],
    read: async (start, count) =>
      [4, 2].map((bytes) =>
        Uint8Array.from({ length: count * bytes }, (_, i) => first + start + Math.floor(i / bytes)),
      ),
  };
}

test("a read across the parts finds every row in its place", async () => {
  const joined = new JoinedRows([counted(10, 3), counted(20, 2), counted(30, 4)]);
  expect(joined.rows).toBe(9);
  const rowsOf = async (start: number, count: number) => {
    const [wide, narrow] = await joined.read(start, count);
    const rows = [...(narrow ?? [])].filter((_, i) => i % 2 === 0);
    expect([...(wide ?? [])]).toEqual(rows.flatMap((row) => [row, row, row, row]));
    return rows;
  };
  expect(await rowsOf(0, 9)).toEqual([10, 11, 12, 20, 21, 30, 31, 32, 33]);
  expect(await rowsOf(2, 4)).toEqual([12, 20, 21, 30]);
  expect(await rowsOf(3, 2)).toEqual([20, 21]);
  expect(await rowsOf(8, 1)).toEqual([33]);
});

test("only rows of one kind join, and only where each part can be bound", () => {
  expect(canJoinRows([counted(0, 128), counted(0, 128), counted(0, 3)])).toBe(true);
  expect(canJoinRows([counted(0, 64), counted(0, 128)])).toBe(false);
  expect(canJoinRows([counted(0, 128), counted(0, 128, 7)])).toBe(false);
  expect(canJoinRows([])).toBe(false);
});
