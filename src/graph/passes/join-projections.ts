import type { RowSource } from "../../checkpoint.ts";
import type { Capabilities } from "../../gpu/capabilities.ts";
import { mapArguments } from "../ir.ts";
import type { Graph, Node, Tensor, TensorStorage } from "../ir.ts";
import { canJoinRows, JoinedRows } from "../joined-rows.ts";
import { readArguments } from "../ops/op.ts";
import { DataFlow } from "./data-flow.ts";

const LINEAR = "et_vk.linear_q4gsw.default";

/** A projection's constants: two planes of one source. */
interface Matrix {
  readonly weight: Tensor;
  readonly scales: Tensor;
  readonly data: RowSource;
}

type Constant = Extract<TensorStorage, { kind: "constant" }>;

const constantOf = ({ storage }: Tensor): Constant | undefined =>
  storage.kind === "constant" && storage.firstRow === undefined ? storage : undefined;

function matrixOf(node: Node): Matrix | undefined {
  const args = readArguments(node);
  const [weight, scales] = [args.tensor(1), args.tensor(2)];
  const data = constantOf(weight)?.data;
  if (data === undefined || constantOf(scales)?.data !== data) return undefined;
  return { weight, scales, data };
}

/**
 * Three projections of one row, as of attention's q, k and v: their matrices become parts of one, so
 * that a kernel can take them as one. Every node still sees its own rows.
 */
export function joinProjections(graph: Graph, { limits }: Capabilities): Graph {
  const flow = new DataFlow(graph);
  const readers = new Map<Tensor, Node[]>();
  const users = new Map<RowSource, number>();
  for (const node of graph.nodes) {
    if (node.op !== LINEAR) continue;
    const source = flow.source(readArguments(node).tensor(0));
    readers.set(source, [...(readers.get(source) ?? []), node]);
    const data = matrixOf(node)?.data;
    if (data !== undefined) users.set(data, (users.get(data) ?? 0) + 1);
  }
  const limit = Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize);
  const replaced = new Map<Tensor, Tensor>();
  for (const nodes of readers.values()) {
    const matrices = nodes.flatMap((node) => matrixOf(node) ?? []);
    const [first, second, third, ...others] = matrices;
    if (first === undefined || second === undefined || third === undefined) continue;
    if (others.length > 0 || matrices.length !== nodes.length) continue;
    if (matrices.some(({ data }) => users.get(data) !== 1)) continue;
    const parts = [first.data, second.data, third.data] as const;
    if (!canJoinRows(parts)) continue;
    const data = new JoinedRows(parts);
    if (data.rows * Math.max(...data.planeRowBytes) > limit) continue;
    let firstRow = 0;
    for (const { weight, scales, data: part } of matrices) {
      for (const tensor of [weight, scales]) {
        const storage = constantOf(tensor);
        if (storage === undefined) throw new Error(`passes: "${tensor.name}" is not a constant`);
        replaced.set(tensor, { ...tensor, storage: { ...storage, data, firstRow } });
      }
      firstRow += part.rows;
    }
  }
  const nodes = graph.nodes.map((node) => ({
    ...node,
    args: mapArguments(
      node.args,
      (tensor) => replaced.get(tensor) ?? tensor,
      (integer) => integer,
    ),
  }));
  return { ...graph, nodes };
}
