import type { Capabilities } from "../../gpu/capabilities.ts";
import { weightScratch } from "../../kernels/linear_q4gsw/gemm-matrix.ts";
import { linearQ4gswTunable, takesMatrices } from "../../kernels/linear_q4gsw/linear-q4gsw.ts";
import { servesSwigluHalves } from "../../kernels/linear_q4gsw/swiglu-halves.ts";
import { candidateNamed } from "../../kernels/shared/tunable.ts";
import { hasF16Matrices } from "../../kernels/shared/subgroup-matrices.ts";
import type { Graph, Node, Tensor } from "../ir.ts";
import { canBeHalves, halvesType } from "../ops/halves.ts";
import { readArguments } from "../ops/op.ts";
import { linearShards, Q4GSW, Q4GSW_ADD, rowSizes } from "../ops/quantized.ts";
import type { LinearArguments, LinearShape, RowSizes } from "../ops/quantized.ts";
import { shardRows } from "../sharding.ts";
import type { Tuning } from "../tuning.ts";
import { DataFlow } from "./data-flow.ts";

const NORM = "et_vk.rms_norm.default";
const SILU_MUL = "tetrad.silu_mul";
const LINEARS = {
  "et_vk.linear_q4gsw.default": Q4GSW,
  "tetrad.linear_q4gsw_add": Q4GSW_ADD,
} as const;

/** A projection of many rows that runs on subgroup matrices. */
interface MatrixLinear {
  readonly node: Node;
  readonly x: Tensor;
  readonly residual: Tensor | undefined;
  readonly sizes: RowSizes;
  /** Of its shards. */
  readonly shapes: readonly LinearShape[];
}

/** A projection that can take halves, unless the device was measured to prefer kernels that cannot. */
function matrixLinear(
  node: Node,
  capabilities: Capabilities,
  tuning: Tuning,
): MatrixLinear | undefined {
  if (!Object.hasOwn(LINEARS, node.op)) return undefined;
  const where: LinearArguments = LINEARS[node.op as keyof typeof LINEARS];
  const args = readArguments(node);
  const x = args.tensor(0);
  const residual = where.residual === undefined ? undefined : args.tensor(where.residual);
  const sizes = rowSizes(x);
  const shards = (tensor: Tensor) => shardRows(tensor, capabilities);
  const shapes = linearShards(node, sizes, where, { shards }).map(({ shape }) => shape);
  const suits = shapes.every((shape) => {
    if (!takesMatrices(shape, capabilities)) return false;
    const tunable = linearQ4gswTunable(shape, capabilities);
    return candidateNamed(tunable, tuning.get(tunable.key)) === tunable.candidates[0];
  });
  return suits && canBeHalves(sizes) ? { node, x, residual, sizes, shapes } : undefined;
}

const halvesOf = (tensor: Tensor): Tensor => ({
  kind: "tensor",
  name: `${tensor.name}.halves`,
  ...halvesType(rowSizes(tensor)),
  storage: { kind: "activation" },
});

/**
 * On devices with subgroup matrices, rows of a prompt go from a norm to its projections, and from SwiGLU to
 * the next, as halves: rounded and put in order once, by what makes them. Gate and up become one product
 * that ends in SwiGLU.
 */
export function fuseHalves(
  graph: Graph,
  capabilities: Capabilities,
  tuning: Tuning = new Map(),
): Graph {
  if (capabilities.software || !hasF16Matrices(capabilities)) return graph;
  const flow = new DataFlow(graph);
  const linears = new Map<Node, MatrixLinear>();
  for (const node of graph.nodes) {
    const linear = matrixLinear(node, capabilities, tuning);
    if (linear !== undefined) linears.set(node, linear);
  }
  // By what they are the halves of, and instead of.
  const halves = new Map<Tensor, Tensor>();

  const halvesFor = ({ x }: MatrixLinear): Tensor | undefined => halves.get(flow.source(x));

  /** Whether all that reads `tensor` are projections of its rows. */
  const isOnlyProjected = (tensor: Tensor): boolean => {
    const readers = flow.readers(tensor);
    return (
      readers.length > 0 &&
      readers.every((reader) => {
        const linear = reader === undefined ? undefined : linears.get(reader);
        if (linear === undefined || linear.sizes.K !== tensor.dims.at(-1)) return false;
        const { residual } = linear;
        return residual === undefined || flow.source(residual) !== tensor;
      })
    );
  };

  const normOf = (node: Node): Node => {
    const [result] = node.results;
    if (result === undefined || !isOnlyProjected(result)) return node;
    const out = halvesOf(result);
    halves.set(result, out);
    return { op: "tetrad.rms_norm_halves", args: node.args, results: [out] };
  };

  const swigluOf = (node: Node): Node => {
    const args = readArguments(node);
    const [gate, up] = [args.tensor(0), args.tensor(1)].map((tensor) => {
      const producer = flow.producer(tensor);
      const [result] = producer?.results ?? [];
      const alone = result !== undefined && flow.isOnlyReadBy(result, node);
      return producer !== undefined && alone ? linears.get(producer) : undefined;
    });
    const [result] = node.results;
    if (gate === undefined || up === undefined || result === undefined) return node;
    const x = halvesFor(gate);
    const [shape] = gate.shapes;
    const serves =
      x !== undefined &&
      x === halvesFor(up) &&
      isSwiglu(gate, up) &&
      shape !== undefined &&
      servesSwigluHalves(shape, capabilities) &&
      bindsBoth(shape, capabilities) &&
      shape.N === result.dims.at(-1) &&
      isOnlyProjected(result);
    if (!serves) return node;
    const out = halvesOf(result);
    halves.set(result, out);
    const [, gateWeight = null, gateScales = null] = gate.node.args;
    const [, upWeight = null, upScales = null] = up.node.args;
    const fused = [x, shape.groupSize, gateWeight, gateScales, upWeight, upScales];
    return { op: "tetrad.swiglu_halves_q4gsw", args: fused, results: [out] };
  };

  const linearOf = (linear: MatrixLinear): Node => {
    const { node } = linear;
    const x = halvesFor(linear);
    if (x === undefined) return node;
    const [, weight = null, scales = null, group = null, bias = null, residual = null] = node.args;
    const args = [x, weight, scales, group, bias, residual];
    return { op: "tetrad.linear_halves_q4gsw", args, results: node.results };
  };

  const nodes = graph.nodes.map((node): Node => {
    if (node.op === NORM) return normOf(node);
    if (node.op === SILU_MUL) return swigluOf(node);
    const linear = linears.get(node);
    return linear === undefined ? node : linearOf(linear);
  });
  return { ...graph, nodes };
}

/** Whether the weights of gate and up, put in order for one product, can be bound at once. */
function bindsBoth(shape: LinearShape, { limits }: Capabilities): boolean {
  const most = Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize);
  return Object.values(weightScratch(shape, 2 * shape.N)).every((bytes) => bytes <= most);
}

/** Whether two projections can be gate and up of one product: alike, and nothing else. */
function isSwiglu({ shapes: gate }: MatrixLinear, { shapes: up }: MatrixLinear): boolean {
  const [a, b] = [gate[0], up[0]];
  return (
    a !== undefined &&
    b !== undefined &&
    gate.length === 1 &&
    up.length === 1 &&
    [a, b].every(({ hasBias, hasResidual }) => !hasBias && !hasResidual) &&
    a.N === b.N &&
    a.groupSize === b.groupSize &&
    a.scaleType === b.scaleType
  );
}
