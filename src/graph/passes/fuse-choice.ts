import type { Capabilities } from "../../gpu/capabilities.ts";
import { fusesChoice } from "../../kernels/row_projection_q4gsw/linear-choice.ts";
import type { Graph, Node } from "../ir.ts";
import { lookUpOp } from "../ops/index.ts";
import { fixedDim, readArguments } from "../ops/op.ts";
import { readRow } from "../ops/row-arguments.ts";
import { SAMPLE, readSamplerMode } from "../ops/sample.ts";
import { shardRows } from "../sharding.ts";
import { DataFlow } from "./data-flow.ts";

const SAMPLER = "tetrad.sample";
const NORM_LINEAR = "tetrad.norm_linear_q4gsw";
const NORM_LINEAR_CHOICE = "tetrad.norm_linear_choice_q4gsw";

/**
 * After the other passes: the first step of a decoded token's sampler into the projection to the vocabulary
 * before it, which knows every logit first. Not a prompt's: it runs once, and its projection would have to
 * be measured once more.
 */
export function fuseChoice(graph: Graph, capabilities: Capabilities): Graph {
  const { nodes } = graph;
  const flow = new DataFlow(graph);
  const [last] = nodes.slice(-1);
  if (last?.op !== SAMPLER) return graph;
  const sample = readArguments(last);
  const projection = flow.producer(sample.tensor(0));
  if (sample.int(SAMPLE.S) !== 1 || projection?.op !== NORM_LINEAR) return graph;
  const { shape, matrix } = readRow(projection);
  const [weight] = matrix(0);
  const choice = { N: fixedDim(weight, 0), mode: readSamplerMode(sample, SAMPLE.mode) };
  // A vocabulary of several shards is projected one by one.
  const isWhole = shardRows(weight, capabilities).length === 1;
  if (!isWhole || !fusesChoice({ ...shape, ...choice }, capabilities)) return graph;
  // What the sampler writes is written earlier than before: nothing but views may come in between.
  const between = nodes.slice(nodes.indexOf(projection) + 1, -1);
  if (between.some((node) => lookUpOp(node.op).alias?.(node) === undefined)) return graph;
  const fused: Node = {
    op: NORM_LINEAR_CHOICE,
    args: [
      ...projection.args,
      ...last.args.slice(SAMPLE.state, SAMPLE.S),
      ...last.args.slice(SAMPLE.filters),
    ],
    results: projection.results,
  };
  return {
    ...graph,
    nodes: nodes.slice(0, -1).map((node) => (node === projection ? fused : node)),
  };
}
