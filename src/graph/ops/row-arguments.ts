/** What operators on one row of a decoder have in common: how they take the row and matrices. */
import type { RowProjectionShape } from "../../kernels/row_projection_q4gsw/row-input.ts";
import { LIMB_BLOCK_BYTES, LIMB_BLOCK_SIZE } from "../../quant/int8-limbs.ts";
import { elementCount } from "../ir.ts";
import type { Node, Tensor } from "../ir.ts";
import { fixedDim, readArguments } from "./op.ts";
import type { ArgumentReader, Operand, ResultType } from "./op.ts";
import { checkPlanes, scaleType } from "./quantized.ts";

/**
 * Where things are among the arguments: the row f32 [1, …, K] or its limbs u8 [K / 32, 80], one of them
 * null; a norm's weight [K] for a row that is still to be normalised (limbs have it in them), and its
 * epsilon; the group size; then the matrices: weight, scales, weight, …
 */
export const ROW = { x: 0, limbs: 1, norm: 2, epsilon: 3, group: 4, matrices: 5 } as const;

/** Limbs of a row of K values. */
export const limbsType = (K: number): ResultType => ({
  dtype: "u8",
  dims: [K / LIMB_BLOCK_SIZE, LIMB_BLOCK_BYTES],
});

function rowLength(args: ArgumentReader): number {
  if (!args.isAbsent(ROW.limbs)) {
    args.check(args.isAbsent(ROW.x), () => "a row is given twice");
    args.check(args.isAbsent(ROW.norm), () => "limbs have the norm's weight in them");
    const limbs = args.typed(ROW.limbs, "u8");
    args.check(fixedDim(limbs, 1) === LIMB_BLOCK_BYTES, () => `"${limbs.name}" is no row of limbs`);
    return fixedDim(limbs, 0) * LIMB_BLOCK_SIZE;
  }
  const x = args.typed(ROW.x, "f32");
  const K = fixedDim(x, -1);
  args.check(elementCount(x.dims) === K, () => `"${x.name}" is more than one row`);
  if (!args.isAbsent(ROW.norm)) {
    const norm = args.typed(ROW.norm, "f32");
    args.check(fixedDim(norm, 0) === K, () => `norm has ${fixedDim(norm, 0)} elements, x ${K}`);
    args.number(ROW.epsilon);
  }
  return K;
}

/** Checks matrices [N, K / 2] with scales [N, K / group], all of one K, group and scale type. */
export function inferMatrices(
  args: ArgumentReader,
  K: number,
  group: number,
  first: number,
  count: number,
): readonly number[] {
  const type = args.tensor(first + 1).dtype;
  return Array.from({ length: count }, (_, index) => {
    const weight = args.typed(first + 2 * index, "u8");
    const scales = args.typed(first + 2 * index + 1, "f16", "f32");
    args.check(scales.dtype === type, () => `scales of "${scales.name}" differ in type`);
    checkPlanes(args, weight, scales, K, group);
    return fixedDim(weight, 0);
  });
}

/** Checks the row and its matrices, and returns how many rows each of them has. */
export function inferRow(args: ArgumentReader, matrices: number): readonly number[] {
  const group = args.constantInt(ROW.group);
  return inferMatrices(args, rowLength(args), group, ROW.matrices, matrices);
}

/** A row of N values like the one that is projected. */
export const rowOf = (args: ArgumentReader, N: number): ResultType => ({
  dtype: "f32",
  dims: args.isAbsent(ROW.x) ? [1, N] : [...args.tensor(ROW.x).dims.slice(0, -1), N],
});

/** What a node says about its row. */
export interface RowArguments {
  readonly shape: RowProjectionShape;
  readonly input: Readonly<Record<string, Operand>>;
  readonly matrix: (index: number) => readonly [weight: Tensor, scales: Tensor];
}

export function readRow(node: Node): RowArguments {
  const args = readArguments(node);
  const x = args.optionalTensor(ROW.x);
  const limbs = args.optionalTensor(ROW.limbs);
  const norm = args.optionalTensor(ROW.norm);
  const epsilon = args.optionalNumber(ROW.epsilon);
  const matrix = (index: number) =>
    [args.tensor(ROW.matrices + 2 * index), args.tensor(ROW.matrices + 2 * index + 1)] as const;
  return {
    shape: {
      K: rowLength(args),
      groupSize: args.constantInt(ROW.group),
      scaleType: scaleType(matrix(0)[1]),
      input: limbs === undefined ? "f32" : "limbs",
      ...(epsilon === undefined ? {} : { norm: { epsilon } }),
    },
    input: {
      ...(x === undefined ? {} : { x }),
      ...(limbs === undefined ? {} : { limbs }),
      ...(norm === undefined ? {} : { norm }),
    },
    matrix,
  };
}

/** Tensors that are the rows of one source one after another, as one; undefined if they are not. */
export function joinedTensor(parts: readonly Tensor[]): Tensor | undefined {
  const [first] = parts;
  if (first?.storage.kind !== "constant" || first.storage.firstRow !== 0) return undefined;
  const { data, plane } = first.storage;
  let rows = 0;
  for (const { storage, dims } of parts) {
    if (storage.kind !== "constant" || storage.data !== data || storage.plane !== plane) {
      return undefined;
    }
    if (storage.firstRow !== rows) return undefined;
    rows += Number(dims[0]);
  }
  return { ...first, name: `${first.name}, …`, dims: [rows, ...first.dims.slice(1)] };
}

/** The joined weight and scales of several matrices, where they lie one after another. */
export function joinedMatrices(
  matrices: readonly (readonly [weight: Tensor, scales: Tensor])[],
): { readonly weight: Tensor; readonly scales: Tensor } | undefined {
  const weight = joinedTensor(matrices.map(([each]) => each));
  const scales = joinedTensor(matrices.map(([, each]) => each));
  return weight === undefined || scales === undefined ? undefined : { weight, scales };
}
