/**
 * Rows as halves: what products on subgroup matrices take. Of more than 32 live rows f16 [K / 8, M, 8],
 * the eight values in the order of octet-halves.wgsl; of fewer, which are computed in f32 everywhere, f32
 * [M, K] at the start of the same buffer. Who writes them and who reads them go by the live rows alike.
 */

/**
 * Rows up to which exact f32 is as fast: 32 of them fill one small tile of linear_q4gsw's
 * gemm-tiled.wgsl, and half of a matrix kernel's.
 */
export const F32_MAX_ROWS = 32;

/** A buffer of halves for so many rows holds the few as f32 as well. */
export const HALVES_MIN_CAPACITY = 2 * F32_MAX_ROWS;

/** Whether so many live rows are f16. */
export const areHalves = (M: number): boolean => M > F32_MAX_ROWS;
