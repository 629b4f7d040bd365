import type { Capabilities } from "../../gpu/capabilities.ts";

/** Lanes of the subgroups that kernels on matrices are written for. */
export const MATRIX_SUBGROUP_SIZE = 32;
/** Rows and columns of a matrix, and length of a sum. */
export const MATRIX_SIDE = 16;

/**
 * Whether the device multiplies 16 × 16 matrices of f16 into f32 sums, in subgroups of exactly 32
 * lanes: what all kernels on subgroup matrices need.
 */
export function hasF16Matrices({ f16, subgroups, subgroupMatrices }: Capabilities): boolean {
  const multiplies = subgroupMatrices.some(
    ({ componentType, resultComponentType, M, N, K }) =>
      componentType === "f16" &&
      resultComponentType === "f32" &&
      [M, N, K].every((size) => size === MATRIX_SIDE),
  );
  return (
    f16 &&
    multiplies &&
    subgroups?.minSize === MATRIX_SUBGROUP_SIZE &&
    subgroups.maxSize === MATRIX_SUBGROUP_SIZE
  );
}
