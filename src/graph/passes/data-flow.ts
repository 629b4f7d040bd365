/** What passes ask about a graph: who makes a tensor, who reads it, and what a view is a view of. */
import { argumentTensors } from "../ir.ts";
import type { Graph, Node, Tensor } from "../ir.ts";
import { lookUpOp } from "../ops/index.ts";

/** Producers and consumers of every tensor, seen through views. */
export class DataFlow {
  readonly #producers = new Map<Tensor, Node>();
  readonly #consumers = new Map<Tensor, Node[]>();
  readonly #outputs: ReadonlySet<Tensor>;

  constructor(graph: Graph) {
    this.#outputs = new Set(graph.outputs);
    for (const node of graph.nodes) {
      for (const result of node.results) this.#producers.set(result, node);
      for (const tensor of new Set(argumentTensors(node.args))) {
        const known = this.#consumers.get(tensor);
        if (known === undefined) this.#consumers.set(tensor, [node]);
        else known.push(node);
      }
    }
  }

  /** The tensor whose bytes `tensor` shows: itself unless it is a view. */
  source(tensor: Tensor): Tensor {
    const producer = this.#producers.get(tensor);
    const viewed = producer === undefined ? undefined : lookUpOp(producer.op).alias?.(producer);
    return viewed === undefined ? tensor : this.source(viewed);
  }

  /** The node that computes `tensor`, views skipped. */
  producer(tensor: Tensor): Node | undefined {
    return this.#producers.get(this.source(tensor));
  }

  /** True where `node`, or a view of its result, is all that reads `tensor`, and it is no output. */
  isOnlyReadBy(tensor: Tensor, node: Node): boolean {
    if (this.#outputs.has(tensor)) return false;
    return (this.#consumers.get(tensor) ?? []).every((consumer) => {
      if (consumer === node) return true;
      const [result] = consumer.results;
      const isView = lookUpOp(consumer.op).alias?.(consumer) === tensor;
      return isView && result !== undefined && this.isOnlyReadBy(result, node);
    });
  }

  /** The nodes that read `tensor` or a view of it; undefined stands for the graph's caller. */
  readers(tensor: Tensor): readonly (Node | undefined)[] {
    const own = (this.#consumers.get(tensor) ?? []).flatMap((consumer) => {
      const [result] = consumer.results;
      const isView = lookUpOp(consumer.op).alias?.(consumer) === tensor;
      return isView && result !== undefined ? this.readers(result) : [consumer];
    });
    return this.#outputs.has(tensor) ? [...own, undefined] : own;
  }
}
