/** Reductions, softmax and layer normalisation. */
import { argmax } from "../../kernels/argmax/argmax.ts";
import { layerNorm } from "../../kernels/layer_norm/layer-norm.ts";
import { reduce } from "../../kernels/reduce/reduce.ts";
import type { ReduceShape } from "../../kernels/reduce/reduce.ts";
import { softmax } from "../../kernels/softmax/softmax.ts";
import { elementCount } from "../ir.ts";
import { maxOf, symIntExpression } from "../symint.ts";
import type { SymIntValues } from "../symint.ts";
import { call, onlyResult, readArguments } from "./op.ts";
import type { ArgumentReader, Op } from "./op.ts";
import { foldAround, reducedDims, sameDims } from "./shape.ts";
import type { FoldedDims } from "./shape.ts";

function readFolded({ outer, width, inner }: FoldedDims, values: SymIntValues) {
  return { outer: values.get(outer), width: values.get(width), inner: values.get(inner) };
}

/** Axes to reduce over: a list, one axis, or none for all. */
function readAxes(args: ArgumentReader, index: number): number[] {
  if (args.isAbsent(index)) return [];
  return args.isList(index) ? args.ints(index).map(maxOf) : [args.constantInt(index)];
}

type Float = "f32" | "f16";
type Numeric = Float | "i32";

/** [x, axes | null, keep dims, …] → x without those axes, of x's type: sums of i32 wrap around. */
export function reduceOp(op: ReduceShape["op"]): Op {
  const types: readonly Numeric[] = op === "mean" ? ["f32", "f16"] : ["f32", "f16", "i32"];
  return {
    infer(args) {
      const x = args.typed(0, ...types);
      const axes = readAxes(args, 1);
      foldAround(args.op, x.dims, axes);
      return [{ dtype: x.dtype, dims: reducedDims(args.op, x.dims, axes, args.boolean(2, false)) }];
    },
    lower(node, { capabilities }) {
      const args = readArguments(node);
      const x = args.tensor(0);
      const folded = foldAround(args.op, x.dims, readAxes(args, 1));
      return [
        call(
          reduce({ op, type: x.dtype as Numeric }, capabilities),
          { x, out: onlyResult(node) },
          (values) => readFolded(folded, values),
        ),
      ];
    },
  };
}

/** [x, axis | null, keep dims] → i32, x without that axis. */
export function argmaxOp(op: "argmax" | "argmin"): Op {
  return {
    infer(args) {
      const x = args.typed(0, "f32", "f16", "i32");
      const axes = readAxes(args, 1);
      const { width } = foldAround(args.op, x.dims, axes);
      args.support(typeof width === "number", () => "over a size that changes from run to run");
      return [{ dtype: "i32", dims: reducedDims(args.op, x.dims, axes, args.boolean(2, false)) }];
    },
    lower(node, { capabilities }) {
      const args = readArguments(node);
      const x = args.tensor(0);
      const { outer, width, inner } = foldAround(args.op, x.dims, readAxes(args, 1));
      const rows = symIntExpression("mul", outer, inner);
      const type = x.dtype as Numeric;
      const route = argmax({ op, type, width: maxOf(width), maxRows: maxOf(rows) }, capabilities);
      return [
        call(route, { x, out: onlyResult(node) }, (values) => ({
          rows: values.get(rows),
          inner: values.get(inner),
        })),
      ];
    },
  };
}

/** [x, axis, half to float (ignored)] → like x. */
export function softmaxOp(logarithm: boolean): Op {
  return {
    infer(args) {
      const x = args.typed(0, "f32", "f16");
      foldAround(args.op, x.dims, [args.constantInt(1)]);
      return [{ dtype: x.dtype, dims: x.dims }];
    },
    lower(node, { capabilities }) {
      const args = readArguments(node);
      const x = args.tensor(0);
      const folded = foldAround(args.op, x.dims, [args.constantInt(1)]);
      return [
        call(
          softmax({ type: x.dtype as Float, logarithm }, capabilities),
          { x, out: onlyResult(node) },
          (values) => readFolded(folded, values),
        ),
      ];
    },
  };
}

/** The normalised sizes of a layer norm: all of x's innermost dimensions they name. */
function normalizedWidth(args: ArgumentReader): number {
  const x = args.tensor(0);
  const sizes = args.ints(1);
  const own = x.dims.slice(x.dims.length - sizes.length);
  args.check(sizes.length <= x.dims.length && sameDims(sizes, own), () => "x has other dimensions");
  const width = elementCount(sizes);
  args.support(typeof width === "number", () => "over a size that changes from run to run");
  return maxOf(width);
}

/** [x, normalised sizes, weight | null, bias | null, epsilon] → [like x, mean f32, 1/σ f32]. */
export const layerNormOp: Op = {
  infer(args) {
    const x = args.typed(0, "f32", "f16");
    const width = normalizedWidth(args);
    for (const index of [2, 3]) {
      const tensor = args.optionalTensor(index);
      if (tensor === undefined) continue;
      args.typed(index, x.dtype);
      args.check(
        elementCount(tensor.dims) === width,
        () => `"${tensor.name}" has not ${width} elements`,
      );
    }
    const rank = args.ints(1).length;
    const outer = x.dims.map((dim, axis) => (axis < x.dims.length - rank ? dim : 1));
    const statistics = { dtype: "f32", dims: outer } as const;
    return [{ dtype: x.dtype, dims: x.dims }, statistics, statistics];
  },
  lower(node, { capabilities }) {
    const args = readArguments(node);
    const x = args.tensor(0);
    const width = normalizedWidth(args);
    const [weight, bias] = [args.optionalTensor(2), args.optionalTensor(3)];
    const [out, mean, rstd] = node.results;
    if (out === undefined || mean === undefined || rstd === undefined) {
      throw new Error(`graph: ${node.op} has three results`);
    }
    const route = layerNorm(
      {
        type: x.dtype as Float,
        width,
        epsilon: args.optionalNumber(4) ?? 1e-5,
        hasWeight: weight !== undefined,
        hasBias: bias !== undefined,
      },
      capabilities,
    );
    const rows = symIntExpression("floordiv", elementCount(x.dims), width);
    const operands = {
      x,
      ...(weight === undefined ? {} : { weight }),
      ...(bias === undefined ? {} : { bias }),
      out,
      mean,
      rstd,
    };
    return [call(route, operands, (values) => ({ rows: values.get(rows) }))];
  },
};
