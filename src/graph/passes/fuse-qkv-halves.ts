import type { Capabilities } from "../../gpu/capabilities.ts";
import { servesQkvHalves } from "../../kernels/linear_q4gsw/qkv-halves.ts";
import type { Graph, Node, Tensor } from "../ir.ts";
import { halvesSizes } from "../ops/halves.ts";
import { fixedDim, readArguments } from "../ops/op.ts";
import { Q4GSW_ADD, scaleType } from "../ops/quantized.ts";
import { joinedMatrices } from "../ops/row-arguments.ts";
import { maxOf } from "../symint.ts";

const LINEAR_HALVES = "tetrad.linear_halves_q4gsw";

/** What `tetrad.qkv_halves_q4gsw` needs of a projection of halves that adds nothing. */
function plainLinear(node: Node) {
  const args = readArguments(node);
  if (!args.isAbsent(Q4GSW_ADD.bias ?? -1) || !args.isAbsent(Q4GSW_ADD.residual ?? -1)) {
    return undefined;
  }
  const [weight, scales] = [args.tensor(1), args.tensor(2)] as const;
  return {
    node,
    sizes: halvesSizes(args, 0),
    matrix: [weight, scales] as const,
    rows: fixedDim(weight, 0),
    groupSize: args.constantInt(3),
  };
}

/**
 * Three projections of the same halves, as of attention's q, k and v, whose matrices are joined → one
 * `tetrad.qkv_halves_q4gsw`.
 */
export function fuseQkvHalves(graph: Graph, capabilities: Capabilities): Graph {
  const readers = new Map<Tensor, Node[]>();
  for (const node of graph.nodes) {
    if (node.op !== LINEAR_HALVES) continue;
    const x = readArguments(node).tensor(0);
    readers.set(x, [...(readers.get(x) ?? []), node]);
  }
  // Their weights are constants, so all can run where the first does.
  const replaced = new Map<Node, readonly Node[]>();
  for (const [x, nodes] of readers) {
    const [q, k, v, ...others] = nodes.map(plainLinear);
    if (q === undefined || k === undefined || v === undefined || others.length > 0) continue;
    const matrices = [q.matrix, k.matrix, v.matrix];
    const { sizes, groupSize } = q;
    const shape = {
      rows: [q.rows, k.rows, v.rows] as const,
      K: sizes.K,
      groupSize,
      scaleType: scaleType(q.matrix[1]),
      maxM: maxOf(sizes.M),
    };
    const alike = [k, v].every((linear) => linear.groupSize === groupSize);
    if (!alike || joinedMatrices(matrices) === undefined) continue;
    if (!servesQkvHalves(shape, capabilities)) continue;
    const args = [x, groupSize, ...matrices.flat()];
    const results = [q, k, v].flatMap(({ node }) => node.results);
    replaced.set(q.node, [{ op: "tetrad.qkv_halves_q4gsw", args, results }]);
    replaced.set(k.node, []).set(v.node, []);
  }
  return { ...graph, nodes: graph.nodes.flatMap((node) => replaced.get(node) ?? [node]) };
}
