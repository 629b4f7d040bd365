import { fill } from "../../kernels/fill/fill.ts";
import { stridedWrite } from "../../kernels/strided_copy/strided-copy.ts";
import { DTYPE_BYTES, elementCount } from "../ir.ts";
import type { Tensor } from "../ir.ts";
import { symIntExpression } from "../symint.ts";
import type { IntLike } from "../symint.ts";
import { call, onlyResult, readArguments } from "./op.ts";
import type { ArgumentReader, Op } from "./op.ts";
import { contiguousStrides } from "./shape.ts";

/** What is added at either end of an axis; negative, what is cut off. */
interface Pad {
  readonly before: number;
  readonly after: number;
}

const NO_PAD: Pad = { before: 0, after: 0 };

const added = (dim: IntLike, { before, after }: Pad) =>
  symIntExpression("add", dim, before + after);

/** What of an axis is kept. */
const kept = (dim: IntLike, { before, after }: Pad) =>
  symIntExpression("add", dim, Math.min(before, 0) + Math.min(after, 0));

/** For each axis of x; the arguments have pairs from the last axis on. */
function readPads(args: ArgumentReader): Pad[] {
  const x = args.tensor(0);
  const list = args.ints(1).map((pad) => {
    args.support(typeof pad === "number", () => "a pad that changes from run to run");
    return Number(pad);
  });
  const rank = x.dims.length;
  args.check(
    list.length % 2 === 0 && list.length <= 2 * rank,
    () => `${list.length} pads for a tensor of rank ${rank}`,
  );
  return x.dims.map((dim, axis) => {
    const at = 2 * (rank - 1 - axis);
    const pad = at < list.length ? { before: list[at] ?? 0, after: list[at + 1] ?? 0 } : NO_PAD;
    args.support(
      typeof dim === "number" || Math.min(pad.before, pad.after) >= 0,
      () => "cut off a size that changes from run to run",
    );
    const left = kept(dim, pad);
    args.check(
      typeof left !== "number" || left > 0,
      () => `pads ${pad.before} and ${pad.after} leave nothing of axis ${axis}`,
    );
    return pad;
  });
}

/** The sum over axes of stride · distance. */
function offsetOf(dims: readonly IntLike[], distances: readonly number[]): IntLike {
  return contiguousStrides(dims).reduce<IntLike>((sum, stride, axis) => {
    const distance = symIntExpression("mul", stride, distances[axis] ?? 0);
    return symIntExpression("add", sum, distance);
  }, 0);
}

function copyCall(
  x: Tensor,
  out: Tensor,
  pads: readonly Pad[],
  route: ReturnType<typeof stridedWrite>,
) {
  const dims = x.dims.map((dim, axis) => kept(dim, pads[axis] ?? NO_PAD));
  const strides = contiguousStrides(x.dims);
  const outStrides = contiguousStrides(out.dims);
  const offset = offsetOf(
    x.dims,
    pads.map(({ before }) => Math.max(-before, 0)),
  );
  const outOffset = offsetOf(
    out.dims,
    pads.map(({ before }) => Math.max(before, 0)),
  );
  return call(route, { source: x, out }, (values) => ({
    dims: dims.map((dim) => values.get(dim)),
    strides: strides.map((stride) => values.get(stride)),
    offset: values.get(offset),
    outStrides: outStrides.map((stride) => values.get(stride)),
    outOffset: values.get(outOffset),
  }));
}

/** [x, pads before and after the last axis, the one before it, …, value (0)] → x in a frame of it. */
export const constantPadOp: Op = {
  infer(args) {
    const x = args.tensor(0);
    const pads = readPads(args);
    args.optionalNumber(2);
    return [{ dtype: x.dtype, dims: x.dims.map((dim, axis) => added(dim, pads[axis] ?? NO_PAD)) }];
  },
  alias(node) {
    const args = readArguments(node);
    const isWhole = readPads(args).every(({ before, after }) => before === 0 && after === 0);
    return isWhole ? args.tensor(0) : undefined;
  },
  lower(node, { capabilities }) {
    const args = readArguments(node);
    const x = args.tensor(0);
    const out = onlyResult(node);
    const value = args.optionalNumber(2) ?? 0;
    const count = elementCount(out.dims);
    const elementBytes = DTYPE_BYTES[x.dtype] as 1 | 2 | 4;
    return [
      call(fill({ type: x.dtype, value }, capabilities), { out }, (values) => ({
        count: values.get(count),
      })),
      copyCall(x, out, readPads(args), stridedWrite({ elementBytes }, capabilities)),
    ];
  },
};
