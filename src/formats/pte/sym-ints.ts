import type { Tensor } from "../../graph/ir.ts";
import type { ArgumentReader } from "../../graph/ops/op.ts";
import { symIntExpression } from "../../graph/symint.ts";
import type { IntLike, SymIntExpression } from "../../graph/symint.ts";
import { SELECT_AS_SYMINT, SYM_SIZE } from "./value-uses.ts";

const ARITHMETIC: readonly SymIntExpression["operator"][] = ["add", "sub", "mul", "floordiv"];

/** Operators that yield an integer: they cost nothing when the graph runs. */
export function isSymIntOperator(name: string): boolean {
  return name === SYM_SIZE || name === SELECT_AS_SYMINT || ARITHMETIC.some((op) => op === name);
}

/**
 * What such an operator yields, its arguments without the result. `element` says what stands for an
 * element of an input.
 */
export function evaluateSymInt(
  name: string,
  args: ArgumentReader,
  element: (tensor: Tensor, axis: number, position: number) => IntLike,
): IntLike {
  if (name === SYM_SIZE) {
    const { dims } = args.tensor(0);
    const size = dims.at(args.constantInt(1));
    args.check(size !== undefined, () => `axis ${args.constantInt(1)} of rank ${dims.length}`);
    return size ?? 1;
  }
  if (name === SELECT_AS_SYMINT) {
    return element(args.tensor(0), args.constantInt(1), args.constantInt(2));
  }
  const operator = ARITHMETIC.find((op) => op === name);
  if (operator === undefined) throw new Error(`sym ints: ${name}`);
  return symIntExpression(operator, args.int(0), args.int(1));
}
