import { isTensor } from "../ir.ts";
import type { Graph, Node, Tensor } from "../ir.ts";
import { ArgumentReader } from "../ops/op.ts";
import { sameInt } from "../symint.ts";
import type { IntLike } from "../symint.ts";
import { DataFlow } from "./data-flow.ts";

/** Rows [start, …) of a two-dimensional table. */
interface TableSlice {
  readonly table: Tensor;
  readonly start: IntLike;
}

/**
 * `apply_rotary_emb` on slices [p, p + S) of the frequency tables → `tetrad.apply_rotary_emb_at`,
 * which reads the whole tables at position p: no copies, and a position that may live on the GPU.
 */
export function fuseRotarySlice(graph: Graph): Graph {
  const flow = new DataFlow(graph);

  const sliceOf = (tensor: Tensor): TableSlice | undefined => {
    const producer = flow.producer(tensor);
    if (producer?.op !== "aten.slice_copy.Tensor") return undefined;
    const args = new ArgumentReader(producer.op, producer.args);
    const table = args.tensor(0);
    if (table.dims.length !== 2 || args.constantInt(1) !== 0) return undefined;
    if (!args.isAbsent(4) && args.constantInt(4) !== 1) return undefined;
    return { table, start: args.isAbsent(2) ? 0 : args.int(2) };
  };

  const nodes = graph.nodes.map((node): Node => {
    if (node.op !== "et_vk.apply_rotary_emb.default") return node;
    const [xq, xk, cos, sin] = node.args;
    if (!isTensor(cos) || !isTensor(sin) || xq === undefined || xk === undefined) return node;
    const [cosSlice, sinSlice] = [sliceOf(cos), sliceOf(sin)];
    if (cosSlice === undefined || sinSlice === undefined) return node;
    if (!sameInt(cosSlice.start, sinSlice.start)) return node;
    return {
      op: "tetrad.apply_rotary_emb_at",
      args: [xq, xk, cosSlice.table, sinSlice.table, cosSlice.start],
      results: node.results,
    };
  });
  return { ...graph, nodes };
}
