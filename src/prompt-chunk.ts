import type { Capabilities } from "./gpu/capabilities.ts";
import { hasF16Matrices } from "./kernels/shared/subgroup-matrices.ts";

/**
 * Tokens of one prompt chunk. Intermediate results grow with it, and an abort takes effect between
 * chunks; but fewer rows leave a device's multiply units waiting: those of a GPU with subgroup matrices
 * are busy from about 2,000 rows on.
 */
const CHUNK = 512;
const CHUNK_MATRICES = 2048;
const CHUNK_SOFTWARE = 128;

/** The most tokens a run of a prompt computes on a device. */
export function promptChunk(capabilities: Capabilities): number {
  if (capabilities.software) return CHUNK_SOFTWARE;
  return hasF16Matrices(capabilities) ? CHUNK_MATRICES : CHUNK;
}
