import type { Kernel } from "./kernel.ts";

/** Which of a GPU's units a kernel's products run on: each has a rate of its own. */
export type ArithmeticUnit = "f32" | "integer-dot" | "subgroup-matrix";

/**
 * What a dispatch must do at the least, whatever its kernel does: what a roofline compares its time
 * with (Williams, Waterman and Patterson, 2009).
 */
export interface Work {
  /** Bytes of the operands it touches, each counted once. */
  readonly bytes: number;
  /** Additions and multiplications that define the result; 0 where bytes are all there is to it. */
  readonly operations: number;
  readonly unit: ArithmeticUnit;
  /** Sizes, for people, that tell calls of one kernel apart: `2048 → 8192`. */
  readonly shape: string;
}

/** Of what nobody has counted. */
export const NO_WORK: Work = { bytes: 0, operations: 0, unit: "f32", shape: "" };

/** What a kernel's folder knows of the work of a dispatch; the plan knows its operands' sizes. */
export interface StatedWork {
  /** Additions and multiplications, a fused one counting as both. */
  readonly operations?: number;
  /** Bytes touched of operands that are not touched whole, by the operand's name. */
  readonly bytes?: Readonly<Record<string, number>>;
  readonly shape?: string;
}

/** The unit is read off the source: no second table of kernels to keep true. */
export function arithmeticUnit({ source }: Kernel): ArithmeticUnit {
  if (source.includes("subgroupMatrixMultiplyAccumulate(")) return "subgroup-matrix";
  return source.includes("dot4I8Packed(") || source.includes("dot4U8Packed(")
    ? "integer-dot"
    : "f32";
}

/** Of a product of x [M, K] and a matrix [N, K]. */
export function productWork(M: number, N: number, K: number): StatedWork {
  return { operations: 2 * M * N * K, shape: `${K} → ${N}` };
}
