/** Products of matrices of floats, all operands of one type. */
import { matmul } from "../../kernels/matmul/matmul.ts";
import type { MatmulShape } from "../../kernels/matmul/matmul.ts";
import { elementCount } from "../ir.ts";
import type { Tensor } from "../ir.ts";
import { sameInt, symIntExpression } from "../symint.ts";
import { call, fixedDim, onlyResult, readArguments } from "./op.ts";
import type { ArgumentReader, Op } from "./op.ts";
import { sameDims } from "./shape.ts";

const floatType = ({ dtype }: Tensor) => dtype as MatmulShape["type"];

function checkInner(args: ArgumentReader, a: Tensor, K: number): void {
  args.check(fixedDim(a, -1) === K, () => `rows of ${fixedDim(a, -1)} times columns of ${K}`);
}

/** [x [..., K], weight [N, K], bias [N] | null] → [..., N]. */
export const linearOp: Op = {
  infer(args) {
    const x = args.typed(0, "f32", "f16");
    const weight = args.typed(1, x.dtype);
    args.check(weight.dims.length === 2, () => "weight must be a matrix");
    checkInner(args, x, fixedDim(weight, 1));
    const N = fixedDim(weight, 0);
    if (!args.isAbsent(2)) {
      const bias = args.typed(2, x.dtype);
      args.check(fixedDim(bias, 0) >= N, () => `bias is shorter than N ${N}`);
    }
    return [{ dtype: x.dtype, dims: [...x.dims.slice(0, -1), N] }];
  },
  lower(node, { capabilities }) {
    const args = readArguments(node);
    const [x, weight] = [args.tensor(0), args.tensor(1)];
    const bias = args.optionalTensor(2);
    const [N, K] = [fixedDim(weight, 0), fixedDim(weight, 1)];
    const M = symIntExpression("floordiv", elementCount(x.dims), K);
    const shape: MatmulShape = {
      type: floatType(x),
      N,
      K,
      bTransposed: true,
      oneRow: M === 1,
      ...(bias === undefined ? {} : { addend: "row" }),
    };
    const operands = {
      a: x,
      b: weight,
      ...(bias === undefined ? {} : { addend: bias }),
      out: onlyResult(node),
    };
    return [call(matmul(shape, capabilities), operands, (values) => ({ M: values.get(M) }))];
  },
};

/** [a [M, K], b [K, N]] → [M, N]. */
export const mmOp: Op = {
  infer(args) {
    const a = args.typed(0, "f32", "f16");
    const b = args.typed(1, a.dtype);
    args.check(a.dims.length === 2 && b.dims.length === 2, () => "a and b must be matrices");
    checkInner(args, a, fixedDim(b, 0));
    return [{ dtype: a.dtype, dims: [a.dims[0] ?? 1, fixedDim(b, 1)] }];
  },
  lower(node, { capabilities }) {
    const args = readArguments(node);
    const [a, b] = [args.tensor(0), args.tensor(1)];
    const M = a.dims[0] ?? 1;
    const shape = { type: floatType(a), N: fixedDim(b, 1), K: fixedDim(b, 0), bTransposed: false };
    return [
      call(matmul(shape, capabilities), { a, b, out: onlyResult(node) }, (values) => ({
        M: values.get(M),
      })),
    ];
  },
};

/** [a [B, M, K], b [B, K, N]] → [B, M, N]. */
export const bmmOp: Op = {
  infer(args) {
    const a = args.typed(0, "f32", "f16");
    const b = args.typed(1, a.dtype);
    args.check(a.dims.length === 3 && b.dims.length === 3, () => "a and b must be of rank 3");
    args.check(sameInt(a.dims[0] ?? 1, b.dims[0] ?? 1), () => "a and b differ in batches");
    checkInner(args, a, fixedDim(b, 1));
    return [{ dtype: a.dtype, dims: [...a.dims.slice(0, 2), fixedDim(b, 2)] }];
  },
  lower(node, { capabilities }) {
    const args = readArguments(node);
    const [a, b] = [args.tensor(0), args.tensor(1)];
    const [batch = 1, M = 1] = a.dims;
    const shape = { type: floatType(a), N: fixedDim(b, 2), K: fixedDim(b, 1), bTransposed: false };
    return [
      call(matmul(shape, capabilities), { a, b, out: onlyResult(node) }, (values) => ({
        M: values.get(M),
        batch: values.get(batch),
      })),
    ];
  },
};

/** [addend [N] or [M, N], a [M, K], b [K, N], beta, alpha] → beta · addend + alpha · a · b. */
export const addmmOp: Op = {
  infer(args) {
    const addend = args.typed(0, "f32", "f16");
    const a = args.typed(1, addend.dtype);
    const b = args.typed(2, addend.dtype);
    args.check(a.dims.length === 2 && b.dims.length === 2, () => "a and b must be matrices");
    checkInner(args, a, fixedDim(b, 0));
    const dims = [a.dims[0] ?? 1, fixedDim(b, 1)];
    const isRow = addend.dims.length === 1 && addend.dims[0] === dims[1];
    args.support(
      isRow || sameDims(addend.dims, dims),
      () => `"${addend.name}" must be a row or a matrix of the result's shape`,
    );
    return [{ dtype: a.dtype, dims }];
  },
  lower(node, { capabilities }) {
    const args = readArguments(node);
    const [addend, a, b] = [args.tensor(0), args.tensor(1), args.tensor(2)];
    const M = a.dims[0] ?? 1;
    const shape: MatmulShape = {
      type: floatType(a),
      N: fixedDim(b, 1),
      K: fixedDim(b, 0),
      bTransposed: false,
      addend: addend.dims.length === 1 ? "row" : "matrix",
      beta: args.optionalNumber(3) ?? 1,
      alpha: args.optionalNumber(4) ?? 1,
    };
    return [
      call(matmul(shape, capabilities), { a, b, addend, out: onlyResult(node) }, (values) => ({
        M: values.get(M),
      })),
    ];
  },
};
