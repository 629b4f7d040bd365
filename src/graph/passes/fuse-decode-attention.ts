import type { Capabilities } from "../../gpu/capabilities.ts";
import { projectsAttention } from "../../kernels/row_projection_q4gsw/attention-linear-add.ts";
import { fusesQkvRotary } from "../../kernels/row_projection_q4gsw/row-projection-q4gsw.ts";
import { partialSizes, sdpaSplits } from "../../kernels/sdpa_with_kv_cache/sdpa-splits.ts";
import type { Dtype, Graph, Node, Tensor } from "../ir.ts";
import { cacheType } from "../ops/attention.ts";
import { fixedDim, readArguments } from "../ops/op.ts";
import { scaleType } from "../ops/quantized.ts";
import { joinedMatrices, limbsType, ROW } from "../ops/row-arguments.ts";
import { sameInt } from "../symint.ts";
import type { IntLike } from "../symint.ts";
import { DataFlow } from "./data-flow.ts";

const SDPA = "sdpa_with_kv_cache.default";
const LINEAR_ADD = "tetrad.linear_q4gsw_add";
const QKV = "tetrad.qkv_q4gsw";
const PARTIALS = "tetrad.sdpa_partials";
const ATTENTION = "tetrad.attention_linear_add_q4gsw";
const QKV_ROTARY = "tetrad.qkv_rotary_q4gsw";

/** Rotations by name: how their pairs lie. */
const ROTARY: Readonly<Record<string, "interleaved" | "half">> = {
  "tetrad.apply_rotary_emb_at": "interleaved",
  "et_vk.apply_rotary_emb_hf.default": "half",
};

function activation(name: string, dtype: Dtype, dims: readonly IntLike[]): Tensor {
  return { kind: "tensor", name, dtype, dims, storage: { kind: "activation" } };
}

/**
 * Attention of one row and the output projection that alone reads it → attention's splits, and a
 * projection that joins them: no dispatch in between.
 */
export function fuseAttentionOutput(graph: Graph, capabilities: Capabilities): Graph {
  const flow = new DataFlow(graph);

  const fused = (node: Node): readonly Node[] | undefined => {
    if (node.op !== LINEAR_ADD) return undefined;
    const projection = readArguments(node);
    const attention = flow.producer(projection.tensor(0));
    const [attended] = attention?.results ?? [];
    const [out] = node.results;
    if (attention?.op !== SDPA || attended === undefined || out === undefined) return undefined;
    if (!flow.isOnlyReadBy(attended, node) || !projection.isAbsent(4)) return undefined;
    const args = readArguments(attention);
    const [q, kCache, vCache] = [args.tensor(0), args.tensor(3), args.tensor(4)];
    if (q.dims[1] !== 1) return undefined;
    const [weight, scales] = [projection.tensor(1), projection.tensor(2)];
    const [heads, headSize] = [fixedDim(q, 2), fixedDim(q, 3)];
    const [cacheLength, kvHeads] = [fixedDim(kCache, 1), fixedDim(kCache, 2)];
    const shape = {
      heads,
      kvHeads,
      headSize,
      cacheLength,
      cacheType: cacheType(kCache),
      N: fixedDim(weight, 0),
      groupSize: projection.constantInt(3),
      scaleType: scaleType(scales),
    };
    if (!projectsAttention(shape, capabilities)) return undefined;
    const sizes = partialSizes(shape, sdpaSplits(shape).most);
    const position = args.int(5);
    const partials = [
      activation(`${attended.name}.partial_out`, shape.cacheType, [sizes.partial_out]),
      activation(`${attended.name}.partial_stats`, "f32", [sizes.partial_stats]),
    ] as const;
    const scale = args.optionalNumber(10) ?? 1 / Math.sqrt(headSize);
    const limbs = limbsType(shape.N);
    return [
      {
        op: PARTIALS,
        args: [q, args.tensor(1), args.tensor(2), kCache, vCache, position, scale],
        results: partials,
      },
      {
        op: ATTENTION,
        args: [
          ...partials,
          position,
          heads,
          kCache,
          shape.groupSize,
          weight,
          scales,
          projection.tensor(5),
          null,
        ],
        results: [out, activation(`${out.name}.limbs`, limbs.dtype, limbs.dims)],
      },
    ];
  };

  // What the attention computed before is read by nobody any more, but it wrote the caches.
  const gone = new Set<Node>();
  const nodes = graph.nodes.map((node) => {
    const replacement = fused(node);
    const attention = replacement && flow.producer(readArguments(node).tensor(0));
    if (attention !== undefined) gone.add(attention);
    return replacement ?? [node];
  });
  return { ...graph, nodes: nodes.flat().filter((node) => !gone.has(node)) };
}

/**
 * q, k and v of one row, rotated and on their way into attention's splits → one operator that stores k
 * and v in the caches itself.
 */
export function fuseQkvRotary(graph: Graph, capabilities: Capabilities): Graph {
  const flow = new DataFlow(graph);
  const replaced = new Map<Node, readonly Node[]>();

  const fuse = (partials: Node): void => {
    const args = readArguments(partials);
    if (args.isAbsent(1)) return;
    const [q, k, v, kCache, vCache] = [0, 1, 2, 3, 4].map((i) => args.tensor(i)) as [
      Tensor,
      Tensor,
      Tensor,
      Tensor,
      Tensor,
    ];
    const rotary = flow.producer(q);
    const qkv = flow.producer(v);
    const layout = ROTARY[rotary?.op ?? ""];
    if (rotary === undefined || layout === undefined || qkv?.op !== QKV) return;
    const turning = readArguments(rotary);
    const [rotatedQ, rotatedK] = rotary.results;
    const [plainQ, plainK, plainV] = qkv.results;
    const wired =
      flow.source(q) === rotatedQ &&
      flow.source(k) === rotatedK &&
      flow.source(v) === plainV &&
      flow.source(turning.tensor(0)) === plainQ &&
      flow.source(turning.tensor(1)) === plainK;
    if (!wired || rotatedQ === undefined || rotatedK === undefined) return;
    if (plainQ === undefined || plainK === undefined || plainV === undefined) return;
    const alone =
      flow.isOnlyReadBy(rotatedQ, partials) &&
      flow.isOnlyReadBy(rotatedK, partials) &&
      flow.isOnlyReadBy(plainV, partials) &&
      flow.isOnlyReadBy(plainQ, rotary) &&
      flow.isOnlyReadBy(plainK, rotary);
    if (!alone || !sameInt(turning.int(4), args.int(5))) return;
    const row = readArguments(qkv);
    const matrix = (i: number) =>
      [row.tensor(ROW.matrices + 2 * i), row.tensor(ROW.matrices + 2 * i + 1)] as const;
    const [cos, sin] = [turning.tensor(2), turning.tensor(3)];
    const tableWidth = fixedDim(cos, 1);
    const shape = {
      K: fixedDim(row.tensor(ROW.x), -1),
      groupSize: row.constantInt(ROW.group),
      headSize: fixedDim(q, 3),
      rotarySize: layout === "interleaved" ? 2 * tableWidth : tableWidth,
      layout,
    };
    if (joinedMatrices([matrix(0), matrix(1), matrix(2)]) === undefined) return;
    if (!fusesQkvRotary(shape, capabilities)) return;
    const position = args.int(5);
    replaced.set(qkv, []).set(rotary, []);
    replaced.set(partials, [
      {
        op: QKV_ROTARY,
        args: [...qkv.args, cos, sin, position, layout, kCache, vCache],
        results: [rotatedQ],
      },
      { ...partials, args: [q, null, null, kCache, vCache, position, args.number(6)] },
    ]);
  };

  for (const node of graph.nodes) if (node.op === PARTIALS) fuse(node);
  return { ...graph, nodes: graph.nodes.flatMap((node) => replaced.get(node) ?? [node]) };
}
