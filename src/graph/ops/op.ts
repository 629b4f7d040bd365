import { FormatError, UnsupportedError } from "../../errors.ts";
import type { Capabilities } from "../../gpu/capabilities.ts";
import type { Route } from "../../gpu/kernel.ts";
import { candidateNamed } from "../../kernels/shared/tunable.ts";
import type { Tunable } from "../../kernels/shared/tunable.ts";
import { isSymInt, isTensor } from "../ir.ts";
import type { Argument, Dtype, Node, Tensor } from "../ir.ts";
import type { IntLike, SymIntValues } from "../symint.ts";
import type { Tuning } from "../tuning.ts";

/** What a kernel binds for an operand. */
export type Operand =
  | Tensor
  /** The rows of a constant too large for one binding. */
  | { readonly tensor: Tensor; readonly shard: number }
  /** A tensor from a byte offset on, a multiple of 256. */
  | { readonly tensor: Tensor; readonly byteOffset: number }
  /** An integer as an i32 buffer of one element, read live on the GPU. */
  | { readonly int: IntLike };

/** A route with what it is applied to. */
export interface Call {
  readonly route: Route<unknown>;
  readonly operands: Readonly<Record<string, Operand>>;
  readonly live: (values: SymIntValues) => unknown;
  /** What the route was chosen from, where there was a choice. */
  readonly tunable?: Tunable<unknown>;
  /** Calls that a pass put this one in place of, because the device did not choose otherwise for them. */
  readonly replaced?: readonly ReplacedCall[];
}

/** A call that is not made, but whose candidates a device is still asked to choose from. */
export interface ReplacedCall {
  readonly tunable: Tunable<unknown>;
  readonly operands: Readonly<Record<string, Operand>>;
}

/** Makes a {@link Call}, keeping route and live sizes of one type. */
export function call<Live>(
  route: Route<Live>,
  operands: Readonly<Record<string, Operand>>,
  live: (values: SymIntValues) => Live,
): Call {
  return { route: route as Route<unknown>, operands, live };
}

/** Makes a {@link Call} of the candidate that was fastest on the device, as far as that is known. */
export function tunedCall<Live>(
  tunable: Tunable<Live>,
  operands: Readonly<Record<string, Operand>>,
  live: (values: SymIntValues) => Live,
  { tuning }: LowerContext,
): Call {
  const { route } = candidateNamed(tunable, tuning.get(tunable.key));
  const made = call(route(), operands, live);
  return tunable.candidates.length === 1 ? made : { ...made, tunable: tunable as Tunable<unknown> };
}

/** Consecutive rows of a constant that fit one binding. */
export interface Shard {
  readonly firstRow: number;
  readonly rows: number;
}

/** What lowering may ask about the device. */
export interface LowerContext {
  readonly capabilities: Capabilities;
  readonly tuning: Tuning;
  /** How a constant's rows are split; one shard unless it is over the binding limit. */
  readonly shards: (tensor: Tensor) => readonly Shard[];
}

/** A result's type, as inference finds it. */
export interface ResultType {
  readonly dtype: Dtype;
  readonly dims: readonly IntLike[];
}

/** What must hold when a node runs and cannot be seen when it is planned. */
export type Condition =
  /** 0 ≤ value ≤ most. */
  | {
      readonly kind: "range";
      readonly what: string;
      readonly value: IntLike;
      readonly most: IntLike;
    }
  /** Every element of an integer tensor. */
  | {
      readonly kind: "indices";
      readonly what: string;
      readonly tensor: Tensor;
      readonly least: number;
      readonly most: number;
    };

/** An operator: what its results look like, and how it runs. */
export interface Op {
  /** Checks the arguments and types the results. Throws `FormatError` or `UnsupportedError`. */
  readonly infer: (args: ArgumentReader) => readonly ResultType[];
  /** The argument whose bytes the (only) result shares, where nothing needs to run. */
  readonly alias?: (node: Node) => Tensor | undefined;
  readonly lower: (node: Node, context: LowerContext) => readonly Call[];
  /** Kernels do not check these: they clamp or drop, at best. */
  readonly conditions?: (args: ArgumentReader) => readonly Condition[];
}

/** Typed access to a node's arguments; what is wrong is said with the operator's name. */
export class ArgumentReader {
  readonly op: string;
  readonly #args: readonly Argument[];

  constructor(op: string, args: readonly Argument[]) {
    this.op = op;
    this.#args = args;
  }

  /** How many there are. */
  get length(): number {
    return this.#args.length;
  }

  #wrong(index: number, wanted: string): FormatError {
    const found = this.#args[index];
    const kind =
      found === null || found === undefined
        ? "nothing"
        : isTensor(found)
          ? "a tensor"
          : typeof found;
    return new FormatError(`graph: ${this.op}: argument ${index} must be ${wanted}, found ${kind}`);
  }

  isAbsent(index: number): boolean {
    const value = this.#args[index];
    return value === null || value === undefined;
  }

  tensor(index: number): Tensor {
    const value = this.#args[index];
    if (!isTensor(value)) throw this.#wrong(index, "a tensor");
    return value;
  }

  optionalTensor(index: number): Tensor | undefined {
    return this.isAbsent(index) ? undefined : this.tensor(index);
  }

  /** A tensor of one of `dtypes`. */
  typed(index: number, ...dtypes: readonly Dtype[]): Tensor {
    const tensor = this.tensor(index);
    if (!dtypes.includes(tensor.dtype)) {
      throw new UnsupportedError(
        `graph: ${this.op}: "${tensor.name}" is ${tensor.dtype}; supported: ${dtypes.join(", ")}`,
      );
    }
    return tensor;
  }

  tensors(index: number): readonly Tensor[] {
    const value = this.#args[index];
    if (!Array.isArray(value) || !value.every((item) => isTensor(item))) {
      throw this.#wrong(index, "a list of tensors");
    }
    return value;
  }

  /** A list of tensors and nothings, as indices come. */
  optionalTensors(index: number): readonly (Tensor | undefined)[] {
    const value = this.#args[index];
    if (!Array.isArray(value)) throw this.#wrong(index, "a list of tensors");
    const list = new ArgumentReader(this.op, value as readonly Argument[]);
    return value.map((_, item) => list.optionalTensor(item));
  }

  isList(index: number): boolean {
    return Array.isArray(this.#args[index]);
  }

  isBoolean(index: number): boolean {
    return typeof this.#args[index] === "boolean";
  }

  /** An integer that may be symbolic. Integral floats pass: exporters merge 1 and 1.0. */
  int(index: number): IntLike {
    const value = this.#args[index];
    if (isSymInt(value)) return value;
    const number = typeof value === "bigint" ? Number(value) : value;
    if (typeof number !== "number" || !Number.isInteger(number)) {
      throw this.#wrong(index, "an integer");
    }
    return number;
  }

  /** An integer known now. */
  constantInt(index: number): number {
    const value = this.int(index);
    if (typeof value !== "number") throw this.#wrong(index, "a constant integer");
    return value;
  }

  ints(index: number): readonly IntLike[] {
    const value = this.#args[index];
    if (!Array.isArray(value)) throw this.#wrong(index, "a list of integers");
    return new ArgumentReader(this.op, value as readonly Argument[]).#all();
  }

  #all(): IntLike[] {
    return this.#args.map((_, index) => this.int(index));
  }

  number(index: number): number {
    const value = this.#args[index];
    const number = typeof value === "bigint" ? Number(value) : value;
    if (typeof number !== "number") throw this.#wrong(index, "a number");
    return number;
  }

  optionalNumber(index: number): number | undefined {
    return this.isAbsent(index) ? undefined : this.number(index);
  }

  boolean(index: number, fallback: boolean): boolean {
    const value = this.#args[index];
    if (value === null || value === undefined) return fallback;
    if (typeof value !== "boolean") throw this.#wrong(index, "a boolean");
    return value;
  }

  string(index: number): string {
    const value = this.#args[index];
    if (typeof value !== "string") throw this.#wrong(index, "a string");
    return value;
  }

  /** A `FormatError` naming the operator unless `condition` holds. */
  check(condition: boolean, message: () => string): void {
    if (!condition) throw new FormatError(`graph: ${this.op}: ${message()}`);
  }

  /** An `UnsupportedError` naming the operator unless `condition` holds. */
  support(condition: boolean, message: () => string): void {
    if (!condition) throw new UnsupportedError(`graph: ${this.op}: ${message()}`);
  }
}

/** Reads a node's arguments. */
export function readArguments(node: Node): ArgumentReader {
  return new ArgumentReader(node.op, node.args);
}

/** The result of a node that has one. */
export function onlyResult(node: Node): Tensor {
  const [result] = node.results;
  if (result === undefined) throw new Error(`graph: ${node.op} has no result`);
  return result;
}

/** A dimension that must be known when planning. */
export function fixedDim(tensor: Tensor, axis: number): number {
  const dim = tensor.dims.at(axis);
  if (typeof dim !== "number") {
    throw new UnsupportedError(
      `graph: dimension ${axis} of "${tensor.name}" must not change from run to run`,
    );
  }
  return dim;
}
