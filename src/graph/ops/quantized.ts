/** 4-bit projections and embeddings. */
import { embeddingQ4gsw } from "../../kernels/embedding_q4gsw/embedding-q4gsw.ts";
import { linearQ4gsw } from "../../kernels/linear_q4gsw/linear-q4gsw.ts";
import { elementCount } from "../ir.ts";
import type { Tensor } from "../ir.ts";
import { maxOf, symIntExpression } from "../symint.ts";
import { call, fixedDim, onlyResult, readArguments } from "./op.ts";
import type { ArgumentReader, Op } from "./op.ts";

/** Scales in the planes' element type. */
function scaleType(scales: Tensor): "f16" | "f32" {
  return scales.dtype === "f16" ? "f16" : "f32";
}

function checkPlanes(
  args: ArgumentReader,
  weight: Tensor,
  scales: Tensor,
  K: number,
  group: number,
) {
  const N = fixedDim(weight, 0);
  args.check(group > 0 && K % group === 0, () => `K ${K} is no multiple of group size ${group}`);
  args.check(
    fixedDim(weight, 1) === Math.ceil(K / 8) * 4,
    () => `a weight row has ${fixedDim(weight, 1)} bytes; K ${K} needs ${Math.ceil(K / 8) * 4}`,
  );
  args.check(
    fixedDim(scales, 0) === N && fixedDim(scales, 1) === K / group,
    () => `scales are [${scales.dims.map(maxOf).join(", ")}], must be [${N}, ${K / group}]`,
  );
}

/**
 * [x [..., K] f32, weight u8 [N, pad8(K)/2], scales [N, K/group] (row-major here, whatever the file
 * says), group size, bias [N] | null] → [..., N].
 */
export const linearQ4gswOp: Op = {
  infer(args) {
    const x = args.typed(0, "f32");
    const weight = args.typed(1, "u8");
    const scales = args.typed(2, "f16", "f32");
    const K = fixedDim(x, -1);
    checkPlanes(args, weight, scales, K, args.constantInt(3));
    const bias = args.optionalTensor(4);
    const N = fixedDim(weight, 0);
    args.check(bias === undefined || fixedDim(bias, 0) >= N, () => `bias is shorter than N ${N}`);
    return [{ dtype: "f32", dims: [...x.dims.slice(0, -1), N] }];
  },
  lower(node, { capabilities, shards }) {
    const args = readArguments(node);
    const x = args.tensor(0);
    const weight = args.tensor(1);
    const scales = args.tensor(2);
    const bias = args.optionalTensor(4);
    const out = onlyResult(node);
    const K = fixedDim(x, -1);
    const M = symIntExpression("floordiv", elementCount(x.dims), K);
    return shards(weight).map(({ firstRow, rows }, shard) => {
      const route = linearQ4gsw(
        {
          N: rows,
          K,
          groupSize: args.constantInt(3),
          scaleType: scaleType(scales),
          hasBias: bias !== undefined,
          rows: M === 1 ? "one" : "many",
          maxM: maxOf(M),
          outStride: fixedDim(weight, 0),
          outOffset: firstRow,
        },
        capabilities,
      );
      return call(
        route,
        {
          x,
          weight: { tensor: weight, shard },
          scales: { tensor: scales, shard },
          ...(bias === undefined ? {} : { bias: { tensor: bias, byteOffset: 4 * firstRow } }),
          out,
        },
        (values) => ({ M: values.get(M) }),
      );
    });
  },
};

/**
 * [weight u8 [V, E/2], scales [V, E/group], group size, indices i32, even-in-low-nibble] →
 * [...indices, E].
 */
export const embeddingQ4gswOp: Op = {
  infer(args) {
    const weight = args.typed(0, "u8");
    const scales = args.typed(1, "f16", "f32");
    const indices = args.typed(3, "i32");
    const E = 2 * fixedDim(weight, 1);
    checkPlanes(args, weight, scales, E, args.constantInt(2));
    return [{ dtype: "f32", dims: [...indices.dims, E] }];
  },
  lower(node, { capabilities, shards }) {
    const args = readArguments(node);
    const weight = args.tensor(0);
    const scales = args.tensor(1);
    const indices = args.tensor(3);
    const count = elementCount(indices.dims);
    return shards(weight).map(({ firstRow, rows }, shard) =>
      call(
        embeddingQ4gsw(
          {
            vocabularySize: rows,
            embeddingSize: 2 * fixedDim(weight, 1),
            groupSize: args.constantInt(2),
            scaleType: scaleType(scales),
            evenInLowNibble: args.boolean(4, true),
            firstRow,
          },
          capabilities,
        ),
        {
          indices,
          weight: { tensor: weight, shard },
          scales: { tensor: scales, shard },
          out: onlyResult(node),
        },
        (values) => ({ count: values.get(count) }),
      ),
    );
  },
  conditions: (args) => [
    {
      kind: "indices",
      what: "token",
      tensor: args.tensor(3),
      least: 0,
      most: fixedDim(args.tensor(0), 0) - 1,
    },
  ],
};
