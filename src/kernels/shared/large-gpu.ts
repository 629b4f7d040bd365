/**
 * Multiprocessors of a large GPU (H100 and H200): how many workgroups it takes until none of them, and
 * nothing of its bandwidth, is idle. What is divided for it divides well on smaller ones.
 */
export const LARGE_GPU_MULTIPROCESSORS = 132;
