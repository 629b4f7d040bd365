/** Attention of one row: what passes make of projections, rotation, cache and softmax. */
import { attentionLinearAddTunable } from "../../kernels/row_projection_q4gsw/attention-linear-add.ts";
import { qkvRotaryTunable } from "../../kernels/row_projection_q4gsw/row-projection-q4gsw.ts";
import { partialSizes, sdpaSplits } from "../../kernels/sdpa_with_kv_cache/sdpa-splits.ts";
import { sdpaPartialsTunable } from "../../kernels/sdpa_with_kv_cache/sdpa-with-kv-cache.ts";
import type { Tensor } from "../ir.ts";
import { cacheType, positionCondition } from "./attention.ts";
import { fixedDim, onlyResult, readArguments, tunedCall } from "./op.ts";
import type { ArgumentReader, Op } from "./op.ts";
import { scaleType } from "./quantized.ts";
import { inferMatrices, inferRow, joinedMatrices, readRow, ROW } from "./row-arguments.ts";
import { inferAdded } from "./row-projection.ts";
import { sameDims } from "./shape.ts";

const QKV_ROTARY = {
  cos: ROW.matrices + 6,
  sin: ROW.matrices + 7,
  position: ROW.matrices + 8,
  layout: ROW.matrices + 9,
  kCache: ROW.matrices + 10,
  vCache: ROW.matrices + 11,
} as const;

/** Caches [1, C, Hkv, D] of one shape and type. */
function inferCaches(args: ArgumentReader, k: number, v: number): Tensor {
  const kCache = args.typed(k, "f32", "f16");
  const vCache = args.typed(v, "f32", "f16");
  args.check(
    sameDims(kCache.dims, vCache.dims) && kCache.dtype === vCache.dtype,
    () => "k_cache and v_cache differ",
  );
  return kCache;
}

/**
 * [row, q weight, its scales, k, …, v, …, cos [positions, width], sin, position, "interleaved" | "half",
 * k_cache [1, C, Hkv, D], v_cache] → q rotated [1, 1, Hq, D]; k rotated and v go to the caches. The
 * matrices must lie one after another.
 */
export const qkvRotaryQ4gswOp: Op = {
  infer(args) {
    const [q = 0, k = 0, v = 0] = inferRow(args, 3);
    const cache = inferCaches(args, QKV_ROTARY.kCache, QKV_ROTARY.vCache);
    const [kvHeads, headSize] = [fixedDim(cache, 2), fixedDim(cache, 3)];
    args.check(
      k === kvHeads * headSize && v === k && q % headSize === 0,
      () => `${q}, ${k} and ${v} rows for caches of ${kvHeads} heads of ${headSize}`,
    );
    return [{ dtype: "f32", dims: [1, 1, q / headSize, headSize] }];
  },
  lower(node, context) {
    const args = readArguments(node);
    const { shape, input, matrix } = readRow(node);
    const joined = joinedMatrices([matrix(0), matrix(1), matrix(2)]);
    if (joined === undefined) throw new Error(`graph: ${node.op}: its matrices are not joined`);
    const [kCache, vCache] = [args.tensor(QKV_ROTARY.kCache), args.tensor(QKV_ROTARY.vCache)];
    const [cos, sin] = [args.tensor(QKV_ROTARY.cos), args.tensor(QKV_ROTARY.sin)];
    const out = onlyResult(node);
    const interleaved = args.string(QKV_ROTARY.layout) === "interleaved";
    const tableWidth = fixedDim(cos, 1);
    const tunable = qkvRotaryTunable(
      {
        ...shape,
        heads: fixedDim(out, 2),
        kvHeads: fixedDim(kCache, 2),
        headSize: fixedDim(kCache, 3),
        rotarySize: interleaved ? 2 * tableWidth : tableWidth,
        layout: interleaved ? "interleaved" : "half",
        tableWidth,
        cacheLength: fixedDim(kCache, 1),
        cacheType: cacheType(kCache),
      },
      context.capabilities,
    );
    const operands = {
      ...input,
      ...joined,
      cos,
      sin,
      input_pos: { int: args.int(QKV_ROTARY.position) },
      q_out: out,
      k_cache: kCache,
      v_cache: vCache,
    };
    return [tunedCall(tunable, operands, () => ({}), context)];
  },
  conditions: (args) => [
    ...positionCondition(
      args.int(QKV_ROTARY.position),
      1,
      args.tensor(QKV_ROTARY.cos).dims[0] ?? 1,
    ),
    ...positionCondition(
      args.int(QKV_ROTARY.position),
      1,
      fixedDim(args.tensor(QKV_ROTARY.kCache), 1),
    ),
  ],
};

const PARTIALS = { q: 0, k: 1, v: 2, kCache: 3, vCache: 4, position: 5, scale: 6 } as const;

/**
 * [q [1, 1, Hq, D], k [1, 1, Hkv, D] | null, v | null, k_cache [1, C, Hkv, D], v_cache, position, scale]
 * → attention's splits: partial_out [Hq · splits · D] of the caches' type and partial_stats
 * [splits · Hq · 2], as many splits as the position makes. k and v go to the caches first, unless they
 * are there.
 */
export const sdpaPartialsOp: Op = {
  infer(args) {
    const q = args.typed(PARTIALS.q, "f32");
    const cache = inferCaches(args, PARTIALS.kCache, PARTIALS.vCache);
    const [heads, headSize] = [fixedDim(q, 2), fixedDim(q, 3)];
    const [cacheLength, kvHeads] = [fixedDim(cache, 1), fixedDim(cache, 2)];
    args.check(
      args.isAbsent(PARTIALS.k) === args.isAbsent(PARTIALS.v),
      () => "only one of k and v is given",
    );
    args.check(
      fixedDim(cache, 3) === headSize && heads % kvHeads === 0,
      () => `${heads} query heads of ${headSize} for caches of ${kvHeads} of ${fixedDim(cache, 3)}`,
    );
    const sizes = partialSizes(
      { heads, headSize },
      sdpaSplits({ heads, kvHeads, headSize, cacheLength }).most,
    );
    return [
      { dtype: cache.dtype, dims: [sizes.partial_out] },
      { dtype: "f32", dims: [sizes.partial_stats] },
    ];
  },
  lower(node, context) {
    const args = readArguments(node);
    const q = args.tensor(PARTIALS.q);
    const [k, v] = [args.optionalTensor(PARTIALS.k), args.optionalTensor(PARTIALS.v)];
    const [kCache, vCache] = [args.tensor(PARTIALS.kCache), args.tensor(PARTIALS.vCache)];
    const position = args.int(PARTIALS.position);
    const tunable = sdpaPartialsTunable(
      {
        heads: fixedDim(q, 2),
        kvHeads: fixedDim(kCache, 2),
        headSize: fixedDim(q, 3),
        cacheLength: fixedDim(kCache, 1),
        cacheType: cacheType(kCache),
        scale: args.number(PARTIALS.scale),
        rows: "one",
        append: k !== undefined,
      },
      context.capabilities,
    );
    const [partialOut, partialStats] = node.results as [Tensor, Tensor];
    const operands = {
      q,
      ...(k === undefined || v === undefined ? {} : { k, v }),
      k_cache: kCache,
      v_cache: vCache,
      input_pos: { int: position },
      partial_out: partialOut,
      partial_stats: partialStats,
    };
    const live = (values: { get(value: typeof position): number }) => ({
      S: 1,
      position: values.get(position),
    });
    return [tunedCall(tunable, operands, live, context)];
  },
  conditions: (args) =>
    positionCondition(args.int(PARTIALS.position), 1, fixedDim(args.tensor(PARTIALS.kCache), 1)),
};

/** Where `tetrad.attention_linear_add_q4gsw` has its arguments. */
export const OUTPUT = {
  partialOut: 0,
  partialStats: 1,
  position: 2,
  heads: 3,
  cache: 4,
  group: 5,
  weight: 6,
  scales: 7,
  residual: 8,
  nextNorm: 9,
} as const;

/**
 * [partial_out, partial_stats, position, query heads, k_cache [1, C, Hkv, D] (for its shape), group size,
 * weight [N, …], scales, residual [1, …, N], weight [N] of the norm that comes next | null] → as
 * `tetrad.linear_add_limbs_q4gsw` of the attention that the splits add up to.
 */
export const attentionLinearAddQ4gswOp: Op = {
  infer(args) {
    const { dtype } = args.tensor(OUTPUT.cache);
    const partialOut = args.tensor(OUTPUT.partialOut);
    args.check(
      partialOut.dtype === dtype,
      () => `splits of ${partialOut.dtype} for caches of ${dtype}`,
    );
    args.typed(OUTPUT.partialStats, "f32");
    const headSize = fixedDim(args.tensor(OUTPUT.cache), 3);
    const K = args.constantInt(OUTPUT.heads) * headSize;
    const [N = 0] = inferMatrices(args, K, args.constantInt(OUTPUT.group), OUTPUT.weight, 1);
    return inferAdded(args, N, OUTPUT);
  },
  lower(node, context) {
    const args = readArguments(node);
    const cache = args.tensor(OUTPUT.cache);
    const [weight, scales] = [args.tensor(OUTPUT.weight), args.tensor(OUTPUT.scales)];
    const nextNorm = args.optionalTensor(OUTPUT.nextNorm);
    const position = args.int(OUTPUT.position);
    const [out, limbs] = node.results as [Tensor, Tensor];
    return [
      tunedCall(
        attentionLinearAddTunable(
          {
            heads: args.constantInt(OUTPUT.heads),
            kvHeads: fixedDim(cache, 2),
            headSize: fixedDim(cache, 3),
            cacheLength: fixedDim(cache, 1),
            cacheType: cacheType(cache),
            N: fixedDim(weight, 0),
            groupSize: args.constantInt(OUTPUT.group),
            scaleType: scaleType(scales),
            nextNorm: nextNorm !== undefined,
          },
          context.capabilities,
        ),
        {
          partial_out: args.tensor(OUTPUT.partialOut),
          partial_stats: args.tensor(OUTPUT.partialStats),
          weight,
          scales,
          residual: args.tensor(OUTPUT.residual),
          ...(nextNorm === undefined ? {} : { next_norm: nextNorm }),
          out,
          out_limbs: limbs,
        },
        (values) => ({ position: values.get(position) }),
        context,
      ),
    ];
  },
};
