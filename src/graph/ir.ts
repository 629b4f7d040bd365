/**
 * The graph every front end ends in: values and nodes in execution order. The operator vocabulary
 * and argument order are ExecuTorch's (the output argument apart); operators that exist only here
 * begin with `tetrad.`.
 */
import type { RowSource } from "../checkpoint.ts";
import { symIntExpression, maxOf, substituteInt } from "./symint.ts";
import type { IntLike, SymInt, SymIntRoot } from "./symint.ts";

/** Element types of tensors. `bool` is a byte, 0 or 1. */
export type Dtype = "f32" | "f16" | "i32" | "i8" | "u8" | "bool";

/** Bytes an element takes. */
export const DTYPE_BYTES: Readonly<Record<Dtype, number>> = {
  f32: 4,
  f16: 2,
  i32: 4,
  i8: 1,
  u8: 1,
  bool: 1,
};

/**
 * Where a tensor's bytes live. Inputs are written by the caller before a run; constants are read
 * from the model, one plane of a row source; state survives runs and is written in place by
 * operators (zeros, unless it has initial data); activations live as long as they are needed.
 */
export type TensorStorage =
  | { readonly kind: "activation" }
  | { readonly kind: "input" }
  | {
      readonly kind: "constant";
      readonly data: RowSource;
      readonly plane: number;
      /** The tensor is only these rows of `data`: from here as many as it has, never sharded. */
      readonly firstRow?: number;
    }
  | {
      readonly kind: "state";
      readonly initial?: { readonly data: RowSource; readonly plane: number };
    };

/** A value with elements. Tensors are compared by identity. */
export interface Tensor {
  readonly kind: "tensor";
  readonly name: string;
  readonly dtype: Dtype;
  /** Row-major, outermost first. */
  readonly dims: readonly IntLike[];
  readonly storage: TensorStorage;
}

/** An argument of a node. Lists nest; null is an absent optional. */
export type Argument =
  Tensor | SymInt | number | bigint | boolean | string | null | readonly Argument[];

/** One operation. */
export interface Node {
  /** For example `et_vk.linear_q4gsw.default`. */
  readonly op: string;
  readonly args: readonly Argument[];
  readonly results: readonly Tensor[];
}

export interface Graph {
  readonly name: string;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly nodes: readonly Node[];
}

export function isTensor(value: unknown): value is Tensor {
  return typeof value === "object" && value !== null && (value as Tensor).kind === "tensor";
}

export function isSymInt(value: unknown): value is SymInt {
  if (typeof value !== "object" || value === null) return false;
  const { kind } = value as SymInt;
  return kind === "root" || kind === "expression";
}

/** The number of elements. */
export function elementCount(dims: readonly IntLike[]): IntLike {
  return dims.reduce<IntLike>((product, dim) => symIntExpression("mul", product, dim), 1);
}

/** Bytes a tensor takes at its largest. */
export function maxByteLength(tensor: Tensor): number {
  return tensor.dims.reduce<number>((n, dim) => n * maxOf(dim), DTYPE_BYTES[tensor.dtype]);
}

/** Every tensor among a node's arguments, lists included. */
export function* argumentTensors(args: readonly Argument[]): Generator<Tensor> {
  for (const arg of args) {
    if (isTensor(arg)) yield arg;
    else if (Array.isArray(arg)) yield* argumentTensors(arg as readonly Argument[]);
  }
}

/** `args` with tensors and symbolic integers replaced. */
export function mapArguments(
  args: readonly Argument[],
  tensor: (tensor: Tensor) => Tensor,
  integer: (value: SymInt) => IntLike,
): Argument[] {
  return args.map((arg) => {
    if (isTensor(arg)) return tensor(arg);
    if (isSymInt(arg)) return integer(arg);
    return Array.isArray(arg) ? mapArguments(arg as readonly Argument[], tensor, integer) : arg;
  });
}

/**
 * The graph with roots fixed to numbers and tensors replaced: how the one-token variant of a model
 * comes from the many-token one. Constants and state stay the same tensors.
 */
export function specializeGraph(
  graph: Graph,
  values: ReadonlyMap<SymIntRoot, number>,
  replace: ReadonlyMap<Tensor, Tensor> = new Map(),
): Graph {
  const made = new Map<Tensor, Tensor>(replace);
  const tensor = (original: Tensor): Tensor => {
    const known = made.get(original);
    if (known !== undefined) return known;
    const dims = original.dims.map((dim) => substituteInt(dim, values));
    const unchanged = dims.every((dim, i) => dim === original.dims[i]);
    const result = unchanged ? original : { ...original, dims };
    made.set(original, result);
    return result;
  };
  const integer = (value: SymInt): IntLike => substituteInt(value, values);
  return {
    name: graph.name,
    inputs: graph.inputs.map(tensor),
    outputs: graph.outputs.map(tensor),
    nodes: graph.nodes.map((node) => ({
      op: node.op,
      args: mapArguments(node.args, tensor, integer),
      results: node.results.map(tensor),
    })),
  };
}
