/**
 * Symbolic integers: sizes and positions that differ from run to run. They form expressions over a
 * few roots, which the caller sets; everything that depends on sizes (grids, params) is a function
 * of them.
 */
import { RequestError } from "../errors.ts";

const INT32_MIN = -(2 ** 31);
const INT32_MAX = 2 ** 31 - 1;

/** A root: a value set by the caller before a run. */
export interface SymIntRoot {
  readonly kind: "root";
  readonly name: string;
  /** Inclusive bounds. */
  readonly min: number;
  readonly max: number;
  /**
   * The i32 tensor and element that hold this value on the GPU, if one does: kernels then read it
   * there, so that the GPU itself may advance it.
   */
  readonly element:
    { readonly tensor: { readonly name: string }; readonly index: number } | undefined;
}

/** A value computed from others. `floordiv` rounds towards −∞. */
export interface SymIntExpression {
  readonly kind: "expression";
  readonly operator: "add" | "sub" | "mul" | "floordiv";
  readonly a: IntLike;
  readonly b: IntLike;
  readonly max: number;
}

export type SymInt = SymIntRoot | SymIntExpression;

/** A number that is known, or known at each run. */
export type IntLike = number | SymInt;

/** Makes a root with inclusive bounds. */
export function symIntRoot(
  name: string,
  min: number,
  max: number,
  element?: SymIntRoot["element"],
): SymIntRoot {
  return { kind: "root", name, min, max, element };
}

function apply(operator: SymIntExpression["operator"], a: number, b: number): number {
  switch (operator) {
    case "add":
      return a + b;
    case "sub":
      return a - b;
    case "mul":
      return a * b;
    case "floordiv":
      if (b === 0) throw new RequestError("symint: division by zero");
      return Math.floor(a / b);
    default:
      throw new Error(`symint: ${String(operator satisfies never)}`);
  }
}

/** The largest value `value` can take, for sizing buffers. */
export function maxOf(value: IntLike): number {
  return typeof value === "number" ? value : value.max;
}

/** `a operator b`, folded where both are numbers. */
export function symIntExpression(
  operator: SymIntExpression["operator"],
  a: IntLike,
  b: IntLike,
): IntLike {
  if (typeof a === "number" && typeof b === "number") return apply(operator, a, b);
  if (operator === "mul" && (a === 1 || b === 1)) return a === 1 ? b : a;
  if ((operator === "add" || operator === "sub") && b === 0) return a;
  if (operator === "add" && a === 0) return b;
  if (operator === "floordiv" && b === 1) return a;
  // (p + S) − p is S: a slice's length, as exporters write it.
  if (operator === "sub" && typeof a !== "number" && a.kind === "expression") {
    if (a.operator === "add" && sameInt(a.a, b)) return a.b;
    if (a.operator === "add" && sameInt(a.b, b)) return a.a;
  }
  // Sizes and positions are non-negative, so a subtrahend or divisor is at its least for the most.
  const max =
    operator === "add" || operator === "mul"
      ? apply(operator, maxOf(a), maxOf(b))
      : operator === "sub"
        ? maxOf(a) - (typeof b === "number" ? b : 0)
        : typeof b === "number"
          ? apply("floordiv", maxOf(a), b)
          : maxOf(a);
  return { kind: "expression", operator, a, b, max: Math.min(max, INT32_MAX) };
}

/** The roots an expression depends on. */
export function rootsOf(value: IntLike, into: Set<SymIntRoot> = new Set()): Set<SymIntRoot> {
  if (typeof value === "number") return into;
  if (value.kind === "root") return into.add(value);
  rootsOf(value.a, into);
  return rootsOf(value.b, into);
}

/** True where both are the same number or expression. */
export function sameInt(a: IntLike, b: IntLike): boolean {
  if (a === b) return true;
  if (typeof a === "number" || typeof b === "number") return false;
  if (a.kind === "root" || b.kind === "root") return false;
  return a.operator === b.operator && sameInt(a.a, b.a) && sameInt(a.b, b.b);
}

/** `value` with roots replaced by numbers. */
export function substituteInt(value: IntLike, values: ReadonlyMap<SymIntRoot, number>): IntLike {
  if (typeof value === "number") return value;
  if (value.kind === "root") return values.get(value) ?? value;
  const a = substituteInt(value.a, values);
  const b = substituteInt(value.b, values);
  return a === value.a && b === value.b ? value : symIntExpression(value.operator, a, b);
}

/** The values of a run's roots, and through them of every expression. */
export class SymIntValues {
  readonly #values = new Map<SymIntRoot, number>();
  /** Roots read since {@link trackReads} began. */
  #reads: Set<SymIntRoot> | undefined;

  /**
   * Sets a root; returns whether it changed. A value out of the root's bounds or of int32 throws
   * `RequestError` and leaves the previous one.
   */
  set(root: SymIntRoot, value: number): boolean {
    if (!Number.isInteger(value) || value < INT32_MIN || value > INT32_MAX) {
      throw new RequestError(`symint ${root.name}: ${value} is not a 32-bit integer`);
    }
    if (value < root.min || value > root.max) {
      throw new RequestError(
        `symint ${root.name}: ${value} is out of range; allowed: ${root.min} to ${root.max}`,
      );
    }
    if (this.#values.get(root) === value) return false;
    this.#values.set(root, value);
    return true;
  }

  /** Evaluates `value`. Throws where a root it needs was never set, or int32 is exceeded. */
  get(value: IntLike): number {
    if (typeof value === "number") return value;
    if (value.kind === "root") {
      this.#reads?.add(value);
      const known = this.#values.get(value);
      if (known === undefined) throw new RequestError(`symint ${value.name}: no value was set`);
      return known;
    }
    const result = apply(value.operator, this.get(value.a), this.get(value.b));
    if (result < INT32_MIN || result > INT32_MAX) {
      throw new RequestError(`symint: ${value.operator} gives ${result}, which is not 32-bit`);
    }
    return result;
  }

  /** Runs `evaluate` and says which roots it read. */
  trackReads<T>(evaluate: () => T): { result: T; reads: ReadonlySet<SymIntRoot> } {
    const outer = this.#reads;
    const reads = new Set<SymIntRoot>();
    this.#reads = reads;
    try {
      return { result: evaluate(), reads };
    } finally {
      this.#reads = outer;
      if (outer !== undefined) for (const root of reads) outer.add(root);
    }
  }
}
