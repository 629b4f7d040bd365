import { elementCount, isTensor } from "../ir.ts";
import type { Graph, Node, Tensor } from "../ir.ts";
import { readArguments } from "../ops/op.ts";
import { sameDims } from "../ops/shape.ts";
import { sameInt } from "../symint.ts";
import { DataFlow } from "./data-flow.ts";

const LINEAR = "et_vk.linear_q4gsw.default";

/** residual + projection, in either order → one `tetrad.linear_q4gsw_add`. */
export function fuseResidualAdd(graph: Graph): Graph {
  const flow = new DataFlow(graph);

  /** The projection whose result, or a view of it, is `tensor`, if only `add` reads it. */
  const projectionOf = (tensor: Tensor, residual: Tensor, add: Node): Node | undefined => {
    const producer = flow.producer(tensor);
    const [result] = producer?.results ?? [];
    if (producer?.op !== LINEAR || result === undefined) return undefined;
    if (!flow.isOnlyReadBy(result, add)) return undefined;
    // Rows must stay rows through the views.
    const rows = sameInt(result.dims.at(-1) ?? 1, residual.dims.at(-1) ?? 1);
    return rows && sameInt(elementCount(result.dims), elementCount(residual.dims))
      ? producer
      : undefined;
  };

  const nodes = graph.nodes.map((node): Node => {
    if (node.op !== "aten.add.Tensor") return node;
    const [a, b] = node.args;
    if (!isTensor(a) || !isTensor(b) || !sameDims(a.dims, b.dims)) return node;
    if ((readArguments(node).optionalNumber(2) ?? 1) !== 1) return node;
    for (const [residual, tensor] of [
      [a, b],
      [b, a],
    ] as const) {
      if (flow.source(residual) === flow.source(tensor)) continue;
      const projection = projectionOf(tensor, residual, node);
      if (projection === undefined) continue;
      const [x, weight, scales, group, bias] = projection.args;
      return {
        op: "tetrad.linear_q4gsw_add",
        args: [x ?? null, weight ?? null, scales ?? null, group ?? null, bias ?? null, residual],
        results: node.results,
      };
    }
    return node;
  });
  return { ...graph, nodes };
}
