/** Normalisation, rotary position embedding, cache update and attention. */
import { applyRotaryEmbInterleaved } from "../../kernels/apply_rotary_emb_interleaved/apply-rotary-emb-interleaved.ts";
import { applyRotaryEmb } from "../../kernels/apply_rotary_emb/apply-rotary-emb.ts";
import { rmsNorm } from "../../kernels/rms_norm/rms-norm.ts";
import { sdpaWithKvCacheTunable } from "../../kernels/sdpa_with_kv_cache/sdpa-with-kv-cache.ts";
import { updateCache } from "../../kernels/update_cache/update-cache.ts";
import { elementCount } from "../ir.ts";
import type { Node, Tensor } from "../ir.ts";
import { maxOf, symIntExpression } from "../symint.ts";
import type { IntLike } from "../symint.ts";
import { call, fixedDim, onlyResult, readArguments, tunedCall } from "./op.ts";
import type { ArgumentReader, Condition, LowerContext, Op } from "./op.ts";
import { sameDims } from "./shape.ts";

/** rms_norm's epsilon, its third argument, which graphs may leave out. */
export const normEpsilon = (args: ArgumentReader): number => args.optionalNumber(2) ?? 1e-6;

/** [x, weight [width], epsilon] → like x; over the last dimension. */
export const rmsNormOp: Op = {
  infer(args) {
    const x = args.typed(0, "f32");
    const weight = args.typed(1, "f32");
    args.check(
      fixedDim(weight, 0) === fixedDim(x, -1),
      () => `weight has ${fixedDim(weight, 0)} elements, rows ${fixedDim(x, -1)}`,
    );
    return [{ dtype: "f32", dims: x.dims }];
  },
  lower(node, { capabilities }) {
    const args = readArguments(node);
    const x = args.tensor(0);
    const width = fixedDim(x, -1);
    const rows = symIntExpression("floordiv", elementCount(x.dims), width);
    return [
      call(
        rmsNorm({ width, epsilon: normEpsilon(args) }, capabilities),
        { x, weight: args.tensor(1), out: onlyResult(node) },
        (values) => ({ rows: values.get(rows) }),
      ),
    ];
  },
};

/** Checks q and k of [1, S, heads, D] and returns what both share. */
function checkHeads(args: ArgumentReader, q: Tensor, k: Tensor): { S: IntLike; headSize: number } {
  for (const tensor of [q, k]) {
    args.check(
      tensor.dims.length === 4 && tensor.dims[0] === 1,
      () =>
        `"${tensor.name}" must be [1, S, heads, head size], is [${tensor.dims.map(maxOf).join(", ")}]`,
    );
  }
  args.check(
    fixedDim(q, 3) === fixedDim(k, 3),
    () => `head sizes differ: ${fixedDim(q, 3)} and ${fixedDim(k, 3)}`,
  );
  return { S: q.dims[1] ?? 1, headSize: fixedDim(q, 3) };
}

/** Rows [position, position + S) lie within `size`. */
export function positionCondition(
  position: IntLike,
  S: IntLike,
  size: IntLike,
): readonly Condition[] {
  return [
    {
      kind: "range",
      what: "the position",
      value: position,
      most: symIntExpression("sub", size, S),
    },
  ];
}

interface Rotary {
  readonly layout: "interleaved" | "half";
  readonly rotarySize: number;
  /** Where in the tables the first row is; undefined if they begin with it. */
  readonly position: IntLike | undefined;
}

function lowerRotary(node: Node, { capabilities }: LowerContext, rotary: Rotary) {
  const args = readArguments(node);
  const [xq, xk, cos, sin] = [0, 1, 2, 3].map((index) => args.tensor(index)) as [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  const [xqOut, xkOut] = node.results;
  if (xqOut === undefined || xkOut === undefined)
    throw new Error(`graph: ${node.op} has two results`);
  const { layout, rotarySize, position } = rotary;
  const route = applyRotaryEmb(
    {
      heads: fixedDim(xq, 2),
      kvHeads: fixedDim(xk, 2),
      headSize: fixedDim(xq, 3),
      rotarySize,
      layout,
      tableWidth: fixedDim(cos, 1),
      livePosition: position !== undefined,
    },
    capabilities,
  );
  const S = xq.dims[1] ?? 1;
  return [
    call(
      route,
      {
        xq,
        xk,
        cos,
        sin,
        ...(position === undefined ? {} : { input_pos: { int: position } }),
        xq_out: xqOut,
        xk_out: xkOut,
      },
      (values) => ({ S: values.get(S) }),
    ),
  ];
}

function inferRotary(args: ArgumentReader) {
  const xq = args.typed(0, "f32");
  const xk = args.typed(1, "f32");
  checkHeads(args, xq, xk);
  const cos = args.typed(2, "f32");
  const sin = args.typed(3, "f32");
  args.check(
    cos.dims.length === 2 && sameDims(cos.dims, sin.dims),
    () => "cos and sin must be two tables of one shape",
  );
  return [
    { dtype: "f32", dims: xq.dims },
    { dtype: "f32", dims: xk.dims },
  ] as const;
}

/** Rotary embedding reads rows of the tables from a position on. */
function tablePosition(args: ArgumentReader): readonly Condition[] {
  return positionCondition(args.int(4), args.tensor(0).dims[1] ?? 1, args.tensor(2).dims[0] ?? 1);
}

/** [xq [1,S,Hq,D], xk [1,S,Hkv,D], cos [S, R/2], sin] → rotated; pairs (2i, 2i+1) of the first R. */
export const applyRotaryEmbOp: Op = {
  infer: inferRotary,
  lower: (node, context) =>
    lowerRotary(node, context, {
      layout: "interleaved",
      rotarySize: 2 * fixedDim(readArguments(node).tensor(2), 1),
      position: undefined,
    }),
};

/** [xq, xk, cos [positions, R], sin, position] → rotated; pairs (i, i + R/2) of the first R. */
export const applyRotaryEmbHfOp: Op = {
  infer: inferRotary,
  lower(node, context) {
    const args = readArguments(node);
    return lowerRotary(node, context, {
      layout: "half",
      rotarySize: fixedDim(args.tensor(2), 1),
      position: args.int(4),
    });
  },
  conditions: tablePosition,
};

/**
 * [xq, xk, cos [positions, R/2], sin, position] → rotated as by `apply_rotary_emb`, reading the
 * whole tables at a live position instead of a slice.
 */
export const applyRotaryEmbAtOp: Op = {
  infer: inferRotary,
  lower(node, context) {
    const args = readArguments(node);
    return lowerRotary(node, context, {
      layout: "interleaved",
      rotarySize: 2 * fixedDim(args.tensor(2), 1),
      position: args.int(4),
    });
  },
  conditions: tablePosition,
};

/** [x [B, N, C], freqs [N, C], (cos, sin) pairs] → x with its pairs (2i, 2i+1) rotated. */
export const applyRotaryEmbInterleavedOp: Op = {
  infer(args) {
    const x = args.typed(0, "f32");
    const freqs = args.typed(1, "f32");
    args.check(
      x.dims.length === 3 && sameDims(freqs.dims, x.dims.slice(1)),
      () => `"${freqs.name}" must have the last two of the three dimensions of "${x.name}"`,
    );
    args.check(fixedDim(x, 2) % 2 === 0, () => `pairs in rows of ${fixedDim(x, 2)}`);
    return [{ dtype: "f32", dims: x.dims }];
  },
  lower(node, { capabilities }) {
    const args = readArguments(node);
    const [x, freqs] = [args.tensor(0), args.tensor(1)];
    const [batch = 1, rows = 1, width = 1] = x.dims;
    return [
      call(
        applyRotaryEmbInterleaved(capabilities),
        { x, freqs, out: onlyResult(node) },
        (values) => ({
          batch: values.get(batch),
          rows: values.get(rows),
          width: values.get(width),
        }),
      ),
    ];
  },
};

export function cacheType(cache: Tensor): "f32" | "f16" {
  return cache.dtype === "f16" ? "f16" : "f32";
}

/** [value [1,S,H,D], cache [1,C,H,D], position] → the cache, written in place. */
export const updateCacheOp: Op = {
  infer(args) {
    const value = args.typed(0, "f32");
    const cache = args.typed(1, "f32", "f16");
    checkHeads(args, value, cache);
    args.check(
      fixedDim(value, 2) === fixedDim(cache, 2),
      () => `${fixedDim(value, 2)} heads for a cache of ${fixedDim(cache, 2)}`,
    );
    return [];
  },
  lower(node, { capabilities }) {
    const args = readArguments(node);
    const value = args.tensor(0);
    const cache = args.tensor(1);
    const S = value.dims[1] ?? 1;
    const route = updateCache(
      {
        heads: fixedDim(cache, 2),
        headSize: fixedDim(cache, 3),
        cacheLength: fixedDim(cache, 1),
        cacheType: cacheType(cache),
      },
      capabilities,
    );
    return [
      call(route, { value, cache, input_pos: { int: args.int(2) } }, (values) => ({
        S: values.get(S),
      })),
    ];
  },
  conditions: (args) =>
    positionCondition(args.int(2), args.tensor(0).dims[1] ?? 1, fixedDim(args.tensor(1), 1)),
};

/**
 * [q [1,S,Hq,D], k [1,S,Hkv,D], v, k_cache [1,C,Hkv,D], v_cache, position, sequence length
 * (ignored: S is q's), mask (null), dropout (0), causal (true), scale | null] → like q.
 */
export const sdpaWithKvCacheOp: Op = {
  infer(args) {
    const q = args.typed(0, "f32");
    const k = args.typed(1, "f32");
    const v = args.typed(2, "f32");
    const kCache = args.typed(3, "f32", "f16");
    const vCache = args.typed(4, "f32", "f16");
    const { headSize } = checkHeads(args, q, k);
    checkHeads(args, k, kCache);
    args.check(sameDims(k.dims, v.dims), () => "k and v differ in shape");
    args.check(
      sameDims(kCache.dims, vCache.dims) && kCache.dtype === vCache.dtype,
      () => "k_cache and v_cache differ",
    );
    const [heads, kvHeads] = [fixedDim(q, 2), fixedDim(k, 2)];
    args.check(kvHeads === fixedDim(kCache, 2), () => "k and k_cache differ in heads");
    args.check(heads % kvHeads === 0, () => `${heads} query heads for ${kvHeads} key/value heads`);
    args.support(
      headSize % 4 === 0 && headSize <= 256,
      () => `head size ${headSize}; supported: multiples of 4 up to 256`,
    );
    args.support(args.optionalTensor(7) === undefined, () => "an attention mask is not supported");
    args.support((args.optionalNumber(8) ?? 0) === 0, () => "dropout is not supported");
    args.support(args.boolean(9, true), () => "only causal attention is supported");
    args.optionalNumber(10);
    return [{ dtype: "f32", dims: q.dims }];
  },
  lower(node, context) {
    const args = readArguments(node);
    const [q, k, v, kCache, vCache] = [0, 1, 2, 3, 4].map((index) => args.tensor(index)) as [
      Tensor,
      Tensor,
      Tensor,
      Tensor,
      Tensor,
    ];
    const S = q.dims[1] ?? 1;
    const position = args.int(5);
    const headSize = fixedDim(q, 3);
    const tunable = sdpaWithKvCacheTunable(
      {
        heads: fixedDim(q, 2),
        kvHeads: fixedDim(k, 2),
        headSize,
        cacheLength: fixedDim(kCache, 1),
        cacheType: cacheType(kCache),
        scale: args.optionalNumber(10) ?? 1 / Math.sqrt(headSize),
        rows: S === 1 ? "one" : "many",
        maxS: maxOf(S),
      },
      context.capabilities,
    );
    return [
      tunedCall(
        tunable,
        {
          q,
          k,
          v,
          k_cache: kCache,
          v_cache: vCache,
          input_pos: { int: position },
          out: onlyResult(node),
        },
        (values) => ({ S: values.get(S), position: values.get(position) }),
        context,
      ),
    ];
  },
  conditions: (args) =>
    positionCondition(args.int(5), args.tensor(0).dims[1] ?? 1, fixedDim(args.tensor(3), 1)),
};
