import type { Capabilities } from "../../gpu/capabilities.ts";
import { embedsToLimbs } from "../../kernels/embedding_q4gsw/embedding-limbs.ts";
import { projectsToLimbs } from "../../kernels/row_projection_q4gsw/row-groups.ts";
import { isFused } from "../../kernels/row_projection_q4gsw/row-input.ts";
import { LIMB_BLOCK_SIZE } from "../../quant/int8-limbs.ts";
import { elementCount, isTensor } from "../ir.ts";
import type { Argument, Graph, Node, Tensor } from "../ir.ts";
import { OUTPUT } from "../ops/decode-attention.ts";
import { EMBEDDING } from "../ops/embedding-q4gsw.ts";
import { fixedDim, readArguments } from "../ops/op.ts";
import type { ArgumentReader } from "../ops/op.ts";
import { joinedMatrices, limbsType, ROW } from "../ops/row-arguments.ts";
import { ADDED } from "../ops/row-projection.ts";
import { DataFlow } from "./data-flow.ts";

const LINEAR_ADD = "tetrad.linear_q4gsw_add";
const LINEAR_ADD_LIMBS = "tetrad.linear_add_limbs_q4gsw";
const ATTENTION = "tetrad.attention_linear_add_q4gsw";
const EMBED = "et_vk.embedding_q4gsw.default";
const EMBED_LIMBS = "tetrad.embedding_limbs_q4gsw";
const SWIGLU = "tetrad.swiglu_q4gsw";
const SWIGLU_LIMBS = "tetrad.swiglu_limbs_q4gsw";

const QKV = "tetrad.qkv_q4gsw";

/** Operators that take their row as limbs as well. */
const READERS = new Set([
  "tetrad.norm_linear_q4gsw",
  QKV,
  "tetrad.qkv_rotary_q4gsw",
  SWIGLU,
  LINEAR_ADD_LIMBS,
]);

/** Where operators that write a row and its limbs have the next norm. */
const NEXT_NORM: Readonly<Record<string, number>> = {
  [ATTENTION]: OUTPUT.nextNorm,
  [LINEAR_ADD_LIMBS]: ADDED.nextNorm,
  [EMBED_LIMBS]: EMBEDDING.nextNorm,
};

const withArgument = (node: Node, index: number, value: Argument): Node => ({
  ...node,
  args: node.args.map((arg, i) => (i === index ? value : arg)),
});

/** K of a node that takes a row or its limbs. */
function rowLength(args: ArgumentReader): number {
  return args.isAbsent(ROW.limbs)
    ? fixedDim(args.tensor(ROW.x), -1)
    : fixedDim(args.tensor(ROW.limbs), 0) * LIMB_BLOCK_SIZE;
}

/** Whether a node can take its row, now f32, as limbs: run as separate operators it could not. */
function readsLimbs(node: Node, capabilities: Capabilities): boolean {
  if (!READERS.has(node.op)) return false;
  const args = readArguments(node);
  if (args.isAbsent(ROW.x) || !args.isAbsent(ROW.limbs)) return false;
  const shape = { K: rowLength(args), groupSize: args.constantInt(ROW.group) };
  if (!isFused(shape, capabilities)) return false;
  const matrix = (i: number) =>
    [args.tensor(ROW.matrices + 2 * i), args.tensor(ROW.matrices + 2 * i + 1)] as const;
  return node.op !== QKV || joinedMatrices([matrix(0), matrix(1), matrix(2)]) !== undefined;
}

/** `tetrad.linear_q4gsw_add` of one row → the operator that writes limbs too, where it can run. */
function addsToLimbs(node: Node, capabilities: Capabilities): Node {
  const args = readArguments(node);
  const x = args.tensor(0);
  const [weight, scales, groupSize] = [args.tensor(1), args.tensor(2), args.constantInt(3)];
  const [K, N] = [fixedDim(x, -1), fixedDim(weight, 0)];
  const [out] = node.results;
  const isRow = elementCount(x.dims) === K && args.isAbsent(4);
  if (!isRow || out === undefined || !projectsToLimbs({ K, N, groupSize }, capabilities)) {
    return node;
  }
  return {
    op: LINEAR_ADD_LIMBS,
    args: [x, null, null, null, groupSize, weight, scales, args.tensor(5), null],
    results: [out, limbsOf(out, N)],
  };
}

/** The embedding of one token → the operator that writes limbs too, where it can run. */
function embedsLimbs(node: Node, capabilities: Capabilities): Node {
  const args = readArguments(node);
  const [out] = node.results;
  const embeddingSize = out === undefined ? 0 : fixedDim(out, -1);
  const shape = { embeddingSize, groupSize: args.constantInt(EMBEDDING.group) };
  const isRow = out !== undefined && elementCount(out.dims) === embeddingSize;
  if (!isRow || !embedsToLimbs(shape, capabilities)) return node;
  const evenInLowNibble = args.boolean(EMBEDDING.evenInLowNibble, true);
  return {
    op: EMBED_LIMBS,
    args: [...node.args.slice(0, EMBEDDING.evenInLowNibble), evenInLowNibble, null],
    results: [out, limbsOf(out, embeddingSize)],
  };
}

const limbsOf = ({ name }: Tensor, N: number): Tensor => ({
  kind: "tensor",
  name: `${name}.limbs`,
  ...limbsType(N),
  storage: { kind: "activation" },
});

/**
 * Rows go from one projection to the next as int8 limbs, with the norm between them split: its weights
 * go into the limbs, its factor into the next projection. Only on devices whose kernels do that.
 */
export function fuseRowLimbs(graph: Graph, capabilities: Capabilities): Graph {
  const able = graph.nodes.map((node) => {
    if (node.op === EMBED) return embedsLimbs(node, capabilities);
    return node.op === LINEAR_ADD ? addsToLimbs(node, capabilities) : node;
  });
  const flow = new DataFlow({ ...graph, nodes: able });
  const replaced = new Map<Node, Node>();
  // Which norm's weights the limbs of a node are given.
  const norms = new Map<Node, Argument>();
  const current = (node: Node): Node => replaced.get(node) ?? node;

  /** The limbs of `x` for `reader`, whose norm's weight is `norm`; undefined if nobody writes them. */
  const limbsFor = (x: Tensor, norm: Argument, reader: Node): Tensor | undefined => {
    const producer = flow.producer(x);
    if (producer === undefined) return undefined;
    const now = current(producer);
    if (producer.op === SWIGLU) {
      const [hidden] = producer.results;
      const args = readArguments(now);
      const [K, N] = [rowLength(args), hidden === undefined ? 0 : fixedDim(hidden, -1)];
      const shape = { K, N, groupSize: args.constantInt(ROW.group) };
      const serves = norm === null && projectsToLimbs(shape, capabilities);
      if (!serves || hidden === undefined || !flow.isOnlyReadBy(hidden, reader)) return undefined;
      const limbs = limbsOf(hidden, N);
      replaced.set(producer, { ...now, op: SWIGLU_LIMBS, results: [limbs] });
      return limbs;
    }
    const nextNorm = NEXT_NORM[producer.op];
    const [, limbs] = producer.results;
    if (nextNorm === undefined || limbs === undefined) return undefined;
    if (norms.has(producer) && norms.get(producer) !== norm) return undefined;
    norms.set(producer, norm);
    replaced.set(producer, withArgument(now, nextNorm, norm));
    return limbs;
  };

  for (const node of able) {
    const [x, , norm = null] = node.args;
    if (!isTensor(x) || !readsLimbs(node, capabilities)) continue;
    const found = limbsFor(x, norm, node);
    if (found === undefined) continue;
    const now = current(node);
    const args: Argument[] = [null, found, null, ...now.args.slice(ROW.epsilon)];
    replaced.set(node, { ...now, args });
  }
  // Where neither side of it are limbs, an addition stays what it was, and so does an embedding.
  const nodes = able.map((node, index): Node => {
    const original = graph.nodes[index];
    const isPlain = node !== original && !norms.has(node);
    return isPlain && current(node) === node && original !== undefined ? original : current(node);
  });
  return { ...graph, nodes };
}
