import type { CompareOp } from "./compare.ts";

/** One element of {@link compare}: 1 where it holds. */
export function compareReference(op: CompareOp, a: number, b: number): number {
  switch (op) {
    case "eq":
      return Number(a === b);
    case "ne":
      return Number(a !== b);
    case "lt":
      return Number(a < b);
    case "le":
      return Number(a <= b);
    case "gt":
      return Number(a > b);
    case "ge":
      return Number(a >= b);
    default:
      return op satisfies never;
  }
}
