import { isTensor } from "../ir.ts";
import type { Graph, Node, Tensor } from "../ir.ts";
import { sameDims } from "../ops/shape.ts";
import { DataFlow } from "./data-flow.ts";

const MUL = "aten.mul.Tensor";
const SIGMOID = "aten.sigmoid.default";

function operands(node: Node | undefined, op: string): readonly Tensor[] {
  return node?.op === op ? node.args.filter((arg) => isTensor(arg)) : [];
}

/**
 * (gate · sigmoid(gate)) · up, in whatever order, with views anywhere in between → one
 * `tetrad.silu_mul`. What became unused is dropped when the graph is planned.
 */
export function fuseSiluMul(graph: Graph): Graph {
  const flow = new DataFlow(graph);

  /** The tensor x where `tensor` is x · sigmoid(x). */
  const siluOf = (tensor: Tensor): Tensor | undefined => {
    const [a, b] = operands(flow.producer(tensor), MUL);
    if (a === undefined || b === undefined) return undefined;
    for (const [x, gate] of [
      [a, b],
      [b, a],
    ] as const) {
      const [input] = operands(flow.producer(gate), SIGMOID);
      if (input !== undefined && flow.source(input) === flow.source(x)) return x;
    }
    return undefined;
  };

  const nodes = graph.nodes.map((node): Node => {
    const [a, b] = operands(node, MUL);
    if (a === undefined || b === undefined) return node;
    for (const [product, up] of [
      [a, b],
      [b, a],
    ] as const) {
      const gate = siluOf(product);
      if (gate === undefined || !sameDims(product.dims, up.dims)) continue;
      if (!flow.isOnlyReadBy(flow.source(product), node)) continue;
      return { op: "tetrad.silu_mul", args: [gate, up], results: node.results };
    }
    return node;
  });
  return { ...graph, nodes };
}
