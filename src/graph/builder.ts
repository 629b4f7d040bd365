import type { RowSource } from "../checkpoint.ts";
import type { Argument, Dtype, Graph, Node, Tensor, TensorStorage } from "./ir.ts";
import { lookUpOp } from "./ops/index.ts";
import type { OpName } from "./ops/index.ts";
import { ArgumentReader } from "./ops/op.ts";
import type { IntLike } from "./symint.ts";

/** Builds a graph node by node; every operator's arguments are checked and its results typed. */
export class GraphBuilder {
  readonly #name: string;
  readonly #inputs: Tensor[] = [];
  readonly #outputs: Tensor[] = [];
  readonly #nodes: Node[] = [];

  constructor(name: string) {
    this.#name = name;
  }

  #tensor(name: string, dtype: Dtype, dims: readonly IntLike[], storage: TensorStorage): Tensor {
    return { kind: "tensor", name, dtype, dims, storage };
  }

  /** A tensor the caller writes before each run. */
  input(name: string, dtype: Dtype, dims: readonly IntLike[]): Tensor {
    const tensor = this.#tensor(name, dtype, dims, { kind: "input" });
    this.#inputs.push(tensor);
    return tensor;
  }

  /** Plane `plane` of a row source. */
  constant(
    name: string,
    dtype: Dtype,
    dims: readonly number[],
    data: RowSource,
    plane = 0,
  ): Tensor {
    return this.#tensor(name, dtype, dims, { kind: "constant", data, plane });
  }

  /** A tensor that survives runs; zeros at first. */
  state(name: string, dtype: Dtype, dims: readonly number[]): Tensor {
    return this.#tensor(name, dtype, dims, { kind: "state" });
  }

  /** Adds a node whose results are named after `name`. */
  nodes(op: OpName, name: string, args: readonly Argument[]): readonly Tensor[] {
    const types = lookUpOp(op).infer(new ArgumentReader(op, args));
    const results = types.map(({ dtype, dims }, index) =>
      this.#tensor(types.length === 1 ? name : `${name}.${index}`, dtype, dims, {
        kind: "activation",
      }),
    );
    this.#nodes.push({ op, args, results });
    return results;
  }

  /** Adds a node with one result. */
  node(op: OpName, name: string, ...args: readonly Argument[]): Tensor {
    const [result] = this.nodes(op, name, args);
    if (result === undefined) throw new Error(`graph: ${op} has no result`);
    return result;
  }

  output(tensor: Tensor): void {
    this.#outputs.push(tensor);
  }

  build(): Graph {
    return { name: this.#name, inputs: this.#inputs, outputs: this.#outputs, nodes: this.#nodes };
  }
}
