/** What a test of an operator is made of: inputs of a live size S, and a reference in float64. */
import type { Capabilities } from "../../gpu/capabilities.ts";
import { randomNumbers, randomValues } from "../../kernels/testing/data.ts";
import { f32ToF16 } from "../../quant/f16.ts";
import type { GraphBuilder } from "../builder.ts";
import type { Dtype, Tensor } from "../ir.ts";
import type { SymIntRoot } from "../symint.ts";
import type { Elements } from "../testing/graph-runner.ts";
import type { OpName } from "./index.ts";

/** A tensor with its values, for references. */
export class Array64 {
  readonly dims: readonly number[];
  readonly data: ArrayLike<number>;
  constructor(dims: readonly number[], data: ArrayLike<number>) {
    this.dims = dims;
    this.data = data;
  }
  /** The element at an index; dimensions of one repeat, missing ones in front do not count. */
  at(...index: readonly number[]): number {
    const own = index.slice(index.length - this.dims.length);
    let offset = 0;
    this.dims.forEach((size, axis) => {
      offset = offset * size + (size === 1 ? 0 : (own[axis] ?? 0));
    });
    return this.data[offset] ?? Number.NaN;
  }
}

/** Values of `fn` at every index of `dims`, row-major. */
export function generate(
  dims: readonly number[],
  fn: (...index: readonly number[]) => number,
): Float64Array {
  const count = dims.reduce((product, size) => product * size, 1);
  return Float64Array.from({ length: count }, (_, flat) => {
    const index: number[] = [];
    let rest = flat;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      index.unshift(rest % dims[axis]!);
      rest = Math.floor(rest / dims[axis]!);
    }
    return fn(...index);
  });
}

export const sum = (length: number, fn: (i: number) => number) =>
  Array.from({ length }, (_, i) => fn(i)).reduce((total, value) => total + value, 0);

export interface OpCase {
  readonly op: OpName;
  readonly variant?: string;
  /** Dtypes and dims of the inputs; S stands for the live size. */
  readonly inputs: readonly (readonly [Dtype, ...(number | "S")[]])[];
  /** Adds the node(s); the results are the outputs. */
  readonly build: (g: GraphBuilder, inputs: readonly Tensor[], S: SymIntRoot) => readonly Tensor[];
  readonly reference: (inputs: readonly Array64[], S: number) => readonly ArrayLike<number>[];
  /** Values of an input, where random ones do not do. */
  readonly values?: (input: number, count: number) => ArrayLike<number>;
  readonly absolute?: number;
  /** Only such devices run it: the case is for them, and for software adapters taken for GPUs. */
  readonly runsOn?: (capabilities: Capabilities) => boolean;
}

/** Random values of a type: of f16 their bits. */
export function randomElements(dtype: Dtype, count: number, seed: number): Elements {
  const next = randomNumbers(seed);
  switch (dtype) {
    case "f32":
      return randomValues(count, seed).map((value) => 2 * value);
    case "f16":
      return f32ToF16(randomValues(count, seed).map((value) => 2 * value));
    case "i32":
      return Int32Array.from({ length: count }, () => Math.floor(next() * 9) - 4);
    case "i8":
      return Int8Array.from({ length: count }, () => Math.floor(next() * 200) - 100);
    case "bool":
      return Uint8Array.from({ length: count }, () => Math.floor(next() * 2));
    default:
      return Uint8Array.from({ length: count }, () => Math.floor(next() * 256));
  }
}

/** Rounds halves to even, as IEEE 754 does. */
export const roundHalfEven = (x: number) => {
  const rounded = Math.round(x);
  return Math.abs(x % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
};
