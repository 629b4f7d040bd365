import type { BitwiseShape } from "./bitwise.ts";

/** One element of {@link bitwise}, before it is cut to its type. */
export function bitwiseReference({ op, type }: BitwiseShape, a: number, b: number): number {
  switch (op) {
    case "and":
      return a & b;
    case "or":
      return a | b;
    case "not":
      return type === "bool" ? 1 - a : ~a;
    default:
      return op satisfies never;
  }
}
