import { argumentTensors } from "./ir.ts";
import type { Graph, Node, Tensor } from "./ir.ts";

/** Nodes needed for the outputs or for state they write. */
export function liveNodes(graph: Graph): Node[] {
  const needed = new Set<Tensor>(graph.outputs);
  const kept: Node[] = [];
  for (const node of [...graph.nodes].reverse()) {
    const writesState = [...argumentTensors(node.args)].some(
      ({ storage }) => storage.kind === "state",
    );
    if (!writesState && !node.results.some((result) => needed.has(result))) continue;
    for (const tensor of argumentTensors(node.args)) needed.add(tensor);
    kept.unshift(node);
  }
  return kept;
}
