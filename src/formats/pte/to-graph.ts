/** One delegate's graph (`VK00`) → `Graph`: values become tensors, symbolic integers and literals. */
import { FormatError, TetradError, UnsupportedError } from "../../errors.ts";
import type { Argument, Graph, Node, Tensor } from "../../graph/ir.ts";
import { isSymInt, isTensor } from "../../graph/ir.ts";
import { isSupportedOp, lookUpOp } from "../../graph/ops/index.ts";
import { ArgumentReader } from "../../graph/ops/op.ts";
import { symIntRoot } from "../../graph/symint.ts";
import type { IntLike, SymIntRoot } from "../../graph/symint.ts";
import type { ConstantPool } from "./constant-pool.ts";
import { inferredDims } from "./inferred-dims.ts";
import type { InputDim } from "./input-shapes.ts";
import { COMPUTED_DTYPE } from "./plain-rows.ts";
import { evaluateSymInt, isSymIntOperator } from "./sym-ints.ts";
import {
  isComputed,
  literalInt,
  positionLimit,
  PREPACK,
  SELECT_AS_SYMINT,
  writtenValues,
} from "./value-uses.ts";
import type { OperatorCall, VkGraph, VkTensor } from "./vk-graph.ts";

const INT32_MIN = -(2 ** 31);
const INT32_MAX = 2 ** 31 - 1;

/** An integer that the graph takes from an element of one of its inputs. */
export interface ElementRoot {
  readonly root: SymIntRoot;
  /** Row-major index of the element. */
  readonly index: number;
}

/** What a caller provides: a tensor, or an integer. */
export type DelegateInput =
  | {
      readonly kind: "tensor";
      readonly tensor: Tensor;
      /** Integers the caller must set from this input's contents. */
      readonly elements: readonly ElementRoot[];
    }
  | { readonly kind: "int"; readonly root: SymIntRoot };

export type DelegateOutput =
  | { readonly kind: "tensor"; readonly tensor: Tensor }
  | { readonly kind: "int"; readonly value: IntLike };

/** A delegate as a graph, and how a delegate call's arguments correspond to it. */
export interface DelegateGraph {
  readonly graph: Graph;
  readonly inputs: readonly DelegateInput[];
  readonly outputs: readonly DelegateOutput[];
}

export interface DelegateOptions {
  /** For messages: the file and the delegate. */
  readonly where: string;
  readonly name: string;
  readonly pool: ConstantPool;
  /** Dims of each input, from `inputShapes`. */
  readonly shapes: readonly (readonly InputDim[])[];
  /** Room for more positions than these is not needed: bounds what roots may be. */
  readonly maxPositions?: number;
}

/** Operators of the chain that this runtime does not have, each once. */
export function unsupportedOperators(vk: VkGraph): string[] {
  const names = vk.chain.filter(isComputed).map(({ name }) => name);
  return [...new Set(names)].filter((name) => !isSupportedOp(name));
}

/** Operators that take planes of a 4-bit matrix: which arguments, and how the scales lie. */
const Q4_ARGUMENTS: Readonly<
  Record<string, { readonly weight: number; readonly scales: number; readonly transposed: boolean }>
> = {
  "et_vk.linear_q4gsw.default": { weight: 1, scales: 2, transposed: true },
  "et_vk.linear_dq8ca_q4gsw.default": { weight: 3, scales: 5, transposed: true },
  "et_vk.embedding_q4gsw.default": { weight: 0, scales: 1, transposed: false },
  "et_vk.linear_qcs4w.default": { weight: 1, scales: 2, transposed: false },
};

/**
 * Operators whose result's type is an argument, which files leave out: it is put in again from the
 * type of the result.
 */
const TYPE_ARGUMENTS: Readonly<Record<string, number>> = {
  "aten._to_copy.default": 1,
  "dim_order_ops._to_dim_order_copy.default": 1,
  "aten.full.default": 2,
  "aten.full_like.default": 2,
  "aten.zeros.default": 1,
  "aten.zeros_like.default": 1,
  "aten.ones.default": 1,
  "aten.ones_like.default": 1,
  "aten.scalar_tensor.default": 1,
  "quantized_decomposed.quantize_per_tensor.default": 5,
};

class DelegateBuilder {
  readonly #vk: VkGraph;
  readonly #options: DelegateOptions;
  readonly #written: ReadonlySet<number>;
  /** What the chain has given each value so far. */
  readonly #values = new Map<number, Argument>();
  /** Constants behind prepacked values. */
  readonly #prepacked = new Map<number, number>();
  readonly #symbols = new Map<string, SymIntRoot>();
  readonly #elements = new Map<Tensor, Map<number, SymIntRoot>>();
  readonly #nodes: Node[] = [];

  constructor(vk: VkGraph, options: DelegateOptions) {
    this.#vk = vk;
    this.#options = options;
    this.#written = writtenValues(vk);
  }

  #fail(message: string): FormatError {
    return new FormatError(`${this.#options.where}: ${message}`);
  }

  #dim(dim: InputDim): IntLike {
    if (typeof dim === "number") return dim;
    let root = this.#symbols.get(dim.symbol);
    if (root === undefined) {
      root = symIntRoot(dim.symbol, 1, dim.max);
      this.#symbols.set(dim.symbol, root);
    }
    return root;
  }

  #input(id: number, index: number): void {
    const value = this.#vk.values[id];
    if (value?.kind === "symInt") {
      this.#values.set(id, symIntRoot(`input${index}`, INT32_MIN, INT32_MAX));
      return;
    }
    if (value?.kind !== "tensor") throw this.#fail(`input ${index} is a ${String(value?.kind)}`);
    const tensor: Tensor = {
      kind: "tensor",
      name: `input${index}`,
      dtype: COMPUTED_DTYPE[value.type],
      dims: (this.#options.shapes[index] ?? value.dims).map((dim) => this.#dim(dim)),
      // What the graph writes in place must not count as dead.
      storage: this.#written.has(id) ? { kind: "state" } : { kind: "input" },
    };
    this.#values.set(id, tensor);
  }

  /** The root that stands for element `index` of an input. */
  #element(tensor: Tensor, index: number, id: number): SymIntRoot {
    if (tensor.storage.kind !== "input" || tensor.dtype !== "i32") {
      throw this.#fail(`"${tensor.name}" must be an integer input to give a SymInt`);
    }
    let known = this.#elements.get(tensor);
    if (known === undefined) this.#elements.set(tensor, (known = new Map()));
    const found = known.get(index);
    if (found !== undefined) return found;
    const limits = this.#vk.chain
      .filter((call) => call.name === SELECT_AS_SYMINT && this.#isSameElement(call, tensor, index))
      .map(({ args }) => positionLimit(this.#vk, args.at(-1) ?? id));
    const limit = limits.reduce<number | undefined>(
      (least, each) => (each === undefined ? least : Math.min(least ?? each, each)),
      this.#options.maxPositions,
    );
    const isPosition = limits.some((each) => each !== undefined);
    const root = isPosition
      ? symIntRoot(`${tensor.name}[${index}]`, 0, (limit ?? INT32_MAX) - 1, { tensor, index })
      : symIntRoot(`${tensor.name}[${index}]`, INT32_MIN, INT32_MAX, { tensor, index });
    known.set(index, root);
    return root;
  }

  #isSameElement({ args }: OperatorCall, tensor: Tensor, index: number): boolean {
    const [source, axis, position] = args;
    if (source === undefined || this.#values.get(source) !== tensor) return false;
    const at = [literalInt(this.#vk, axis), literalInt(this.#vk, position)];
    if (at[0] === undefined || at[1] === undefined) return false;
    return elementIndex(tensor, at[0], at[1]) === index;
  }

  /** An argument: what the chain computed, a constant, or a literal. */
  #argument(id: number): Argument {
    const known = this.#values.get(id);
    if (known !== undefined) return known;
    const value = this.#vk.values[id];
    switch (value?.kind) {
      case "null":
        return null;
      case "int":
        return Number(value.value);
      case "double":
      case "bool":
      case "string":
        return value.value;
      case "intList":
        return value.items.map(Number);
      case "doubleList":
      case "boolList":
        return value.items;
      case "valueList":
        return value.items.map((item) => this.#argument(item));
      case "tensor":
        return this.#constant(id);
      default:
        throw this.#fail(`value ${id} is used before it is computed`);
    }
  }

  #constant(id: number): Tensor {
    const constant = this.#prepacked.get(id) ?? id;
    const value = this.#vk.values[constant];
    if (value?.kind !== "tensor" || value.constantId === undefined) {
      throw this.#fail(`value ${id} is used before it is computed`);
    }
    const { pool } = this.#options;
    const tensor = this.#written.has(id) ? pool.state(id, constant) : pool.plain(constant);
    this.#values.set(id, tensor);
    return tensor;
  }

  #arguments({ name, args }: OperatorCall): Argument[] {
    const inputs = args.slice(0, -1);
    const planes = Q4_ARGUMENTS[name];
    if (planes === undefined) {
      const result = this.#vk.values[args.at(-1) ?? -1];
      return inputs.map((id, index) =>
        TYPE_ARGUMENTS[name] === index && result?.kind === "tensor"
          ? COMPUTED_DTYPE[result.type]
          : this.#argument(id),
      );
    }
    const constant = (index: number) => {
      const id = inputs[index];
      if (id === undefined) throw this.#fail(`${name}: argument ${index} is missing`);
      return this.#prepacked.get(id) ?? id;
    };
    const { weight, scales } = this.#options.pool.q4(
      constant(planes.weight),
      constant(planes.scales),
      planes.transposed,
    );
    return inputs.map((id, index) => {
      if (index === planes.weight) return weight;
      return index === planes.scales ? scales : this.#argument(id);
    });
  }

  #resultIds({ name, args }: OperatorCall): readonly number[] {
    const id = args.at(-1);
    const value = id === undefined ? undefined : this.#vk.values[id];
    if (value?.kind === "valueList") return value.items;
    if (id === undefined) throw this.#fail(`${name} has no result`);
    return [id];
  }

  #compute(call: OperatorCall): void {
    const args = this.#arguments(call);
    const types = lookUpOp(call.name).infer(new ArgumentReader(call.name, args));
    const ids = this.#resultIds(call);
    const written = args.filter((arg) => isTensor(arg) && arg.storage.kind === "state");
    if (types.length === 0) {
      // It writes in place: what the file calls its result is what it wrote to.
      if (written[0] !== undefined && ids[0] !== undefined) this.#values.set(ids[0], written[0]);
      this.#nodes.push({ op: call.name, args, results: [] });
      return;
    }
    const results = types.map(({ dtype, dims }, index): Tensor => {
      const value = ids[index] === undefined ? undefined : this.#vk.values[ids[index]];
      const name = `t${ids[index] ?? `${call.nodeId}_${index}`}`;
      return {
        kind: "tensor",
        name,
        dtype,
        dims: value?.kind === "tensor" ? inferredDims(dims, value.dims, this.#isExact()) : dims,
        storage: { kind: "activation" },
      };
    });
    results.forEach((result, index) => {
      const id = ids[index];
      if (id === undefined) return;
      this.#checkType(result, this.#vk.values[id]);
      this.#values.set(id, result);
    });
    this.#nodes.push({ op: call.name, args, results });
  }

  /** False where inputs are smaller than the file's bounds, so that fixed sizes differ from it. */
  #isExact(): boolean {
    return this.#options.shapes.every((dims, input) => {
      const value = this.#vk.values[this.#vk.inputIds[input] ?? -1];
      return (
        value?.kind !== "tensor" ||
        dims.every((dim, axis) => typeof dim !== "number" || dim === value.dims[axis])
      );
    });
  }

  #checkType(result: Tensor, value: VkGraph["values"][number] | undefined): void {
    const stored = value?.kind === "tensor" ? (value satisfies VkTensor).type : undefined;
    if (stored === undefined || COMPUTED_DTYPE[stored] === result.dtype) return;
    throw this.#fail(`"${result.name}" is ${stored} in the file, computed as ${result.dtype}`);
  }

  #run(call: OperatorCall): void {
    const [first, second] = call.args;
    if (call.name === PREPACK) {
      if (first === undefined || second === undefined) throw this.#fail("prepack of nothing");
      this.#prepacked.set(second, this.#prepacked.get(first) ?? first);
      return;
    }
    if (!isSymIntOperator(call.name)) return this.#compute(call);
    const args = call.args.slice(0, -1).map((id) => this.#argument(id));
    const result = call.args.at(-1);
    if (result === undefined) throw this.#fail(`${call.name} has no result`);
    const value = evaluateSymInt(
      call.name,
      new ArgumentReader(call.name, args),
      (tensor, axis, at) => this.#element(tensor, elementIndex(tensor, axis, at), result),
    );
    this.#values.set(result, value);
  }

  build(): DelegateGraph {
    const vk = this.#vk;
    vk.inputIds.forEach((id, index) => this.#input(id, index));
    for (const [index, call] of vk.chain.entries()) {
      try {
        this.#run(call);
      } catch (error) {
        if (!(error instanceof TetradError)) throw error;
        const message = `${this.#options.where}: operator ${index}: ${error.message}`;
        if (error.message.startsWith(this.#options.where)) throw error;
        throw error instanceof UnsupportedError
          ? new UnsupportedError(message, { cause: error })
          : new FormatError(message, { cause: error });
      }
    }
    const outputs = vk.outputIds.map((id): DelegateOutput => {
      const value = this.#argument(id);
      if (isTensor(value)) return { kind: "tensor", tensor: value };
      if (isSymInt(value) || typeof value === "number") return { kind: "int", value };
      throw this.#fail(`output ${id} is neither a tensor nor an integer`);
    });
    const inputs = vk.inputIds.map((id): DelegateInput => {
      const value = this.#values.get(id);
      if (isTensor(value)) {
        const elements = [...(this.#elements.get(value) ?? [])];
        return {
          kind: "tensor",
          tensor: value,
          elements: elements.map(([index, root]) => ({ index, root })),
        };
      }
      if (isSymInt(value) && value.kind === "root") return { kind: "int", root: value };
      throw this.#fail(`input ${id} is neither a tensor nor an integer`);
    });
    const graph: Graph = {
      name: this.#options.name,
      inputs: inputs.flatMap((input) => (input.kind === "tensor" ? [input.tensor] : [])),
      outputs: outputs.flatMap((output) => (output.kind === "tensor" ? [output.tensor] : [])),
      nodes: this.#nodes,
    };
    return { graph, inputs, outputs };
  }
}

/** Row-major index of an element at `position` along `axis`, 0 along the others. */
function elementIndex(tensor: Tensor, axis: number, position: number): number {
  const dims = tensor.dims.map((dim) => (typeof dim === "number" ? dim : dim.max));
  const normalAxis = axis < 0 ? axis + dims.length : axis;
  const size = dims[normalAxis];
  const at = size !== undefined && position < 0 ? position + size : position;
  if (size === undefined || at < 0 || at >= size || typeof tensor.dims[normalAxis] !== "number") {
    throw new FormatError(`element ${position} along axis ${axis} of "${tensor.name}"`);
  }
  return at * dims.slice(normalAxis + 1).reduce((product, dim) => product * dim, 1);
}

/**
 * Builds the graph of a delegate. Throws one `UnsupportedError` that names every operator this
 * runtime does not have, and `FormatError` for arguments that do not fit.
 */
export function delegateGraph(vk: VkGraph, options: DelegateOptions): DelegateGraph {
  const missing = unsupportedOperators(vk);
  if (missing.length > 0) {
    throw new UnsupportedError(
      `${options.where}: operators that are not supported: ${missing.join(", ")}`,
    );
  }
  return new DelegateBuilder(vk, options).build();
}
