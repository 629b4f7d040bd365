import { elementCount, isTensor } from "../ir.ts";
import type { Argument, Graph, Node, Tensor } from "../ir.ts";
import { readArguments } from "../ops/op.ts";
import { DataFlow } from "./data-flow.ts";

const LINEAR = "et_vk.linear_q4gsw.default";
const NORM = "et_vk.rms_norm.default";
const SILU_MUL = "tetrad.silu_mul";
const NORM_LINEAR = "tetrad.norm_linear_q4gsw";
const SWIGLU = "tetrad.swiglu_q4gsw";
const QKV = "tetrad.qkv_q4gsw";

/** rms_norm's, where the graph gives none. */
const DEFAULT_EPSILON = 1e-6;

/** A projection of one row, without a bias. */
interface RowLinear {
  readonly node: Node;
  readonly x: Tensor;
  readonly weight: Tensor;
  readonly scales: Tensor;
  readonly group: number;
}

function rowLinear(node: Node | undefined): RowLinear | undefined {
  if (node?.op !== LINEAR) return undefined;
  const args = readArguments(node);
  const x = args.tensor(0);
  if (!args.isAbsent(4) || elementCount(x.dims) !== x.dims.at(-1)) return undefined;
  return {
    node,
    x,
    weight: args.tensor(1),
    scales: args.tensor(2),
    group: args.constantInt(3),
  };
}

/** Whether one dispatch can compute both: of the same row, quantised alike. */
const alike = (flow: DataFlow, a: RowLinear, b: RowLinear): boolean =>
  flow.source(a.x) === flow.source(b.x) &&
  a.x.dims.at(-1) === b.x.dims.at(-1) &&
  a.group === b.group &&
  a.scales.dtype === b.scales.dtype;

const matrices = (...linears: readonly RowLinear[]): Argument[] =>
  linears.flatMap(({ weight, scales }) => [weight, scales]);

/** silu(gate · x) · (up · x) for one row x → one `tetrad.swiglu_q4gsw`. */
export function fuseSwiglu(graph: Graph): Graph {
  const flow = new DataFlow(graph);
  const nodes = graph.nodes.map((node): Node => {
    if (node.op !== SILU_MUL) return node;
    const args = readArguments(node);
    const gate = rowLinear(flow.producer(args.tensor(0)));
    const up = rowLinear(flow.producer(args.tensor(1)));
    if (gate === undefined || up === undefined || !alike(flow, gate, up)) return node;
    const used = [gate, up].some(({ node: linear }) => {
      const [result] = linear.results;
      return result === undefined || !flow.isOnlyReadBy(result, node);
    });
    if (used) return node;
    const fused = [gate.x, null, null, null, gate.group, ...matrices(gate, up)];
    return { op: SWIGLU, args: fused, results: node.results };
  });
  return { ...graph, nodes };
}

/** Three projections of one row, as of attention's q, k and v → one `tetrad.qkv_q4gsw`. */
export function fuseQkv(graph: Graph): Graph {
  const flow = new DataFlow(graph);
  const readers = new Map<Tensor, RowLinear[]>();
  for (const node of graph.nodes) {
    const linear = rowLinear(node);
    if (linear === undefined) continue;
    const source = flow.source(linear.x);
    readers.set(source, [...(readers.get(source) ?? []), linear]);
  }
  // Their weights are constants, so all can run where the first does.
  const replaced = new Map<Node, readonly Node[]>();
  for (const [q, k, v, ...others] of readers.values()) {
    if (q === undefined || k === undefined || v === undefined || others.length > 0) continue;
    if (!alike(flow, q, k) || !alike(flow, q, v)) continue;
    const args = [q.x, null, null, null, q.group, ...matrices(q, k, v)];
    const results = [q, k, v].flatMap(({ node }) => node.results);
    replaced.set(q.node, [{ op: QKV, args, results }]);
    replaced.set(k.node, []).set(v.node, []);
  }
  return { ...graph, nodes: graph.nodes.flatMap((node) => replaced.get(node) ?? [node]) };
}

/** rms_norm of a row into the projection that alone reads it. */
export function fuseNorm(graph: Graph): Graph {
  const flow = new DataFlow(graph);

  /** Row, weight and epsilon of the norm that makes `x`, a row of K, for `reader` alone. */
  const normOf = (x: Tensor, reader: Node): readonly Argument[] | undefined => {
    const norm = flow.producer(x);
    const [result] = norm?.results ?? [];
    if (norm?.op !== NORM || result === undefined) return undefined;
    if (!flow.isOnlyReadBy(result, reader)) return undefined;
    const args = readArguments(norm);
    const K = x.dims.at(-1);
    // Not a norm of parts of the row.
    if (args.tensor(1).dims[0] !== K || args.tensor(0).dims.at(-1) !== K) return undefined;
    return [args.tensor(0), null, args.tensor(1), args.optionalNumber(2) ?? DEFAULT_EPSILON];
  };

  const nodes = graph.nodes.map((node): Node => {
    if (node.op === SWIGLU || node.op === QKV) {
      const [x, , norm, , ...rest] = node.args;
      if (!isTensor(x) || norm !== null) return node;
      const normed = normOf(x, node);
      return normed === undefined ? node : { ...node, args: [...normed, ...rest] };
    }
    const linear = rowLinear(node);
    const normed = linear && normOf(linear.x, node);
    if (linear === undefined || normed === undefined) return node;
    const args = [...normed, linear.group, ...matrices(linear)];
    return { op: NORM_LINEAR, args, results: node.results };
  });
  return { ...graph, nodes };
}
