import type { TunableCall } from "../graph/tuning.ts";

/** Bytes a plan reads for all calls of a kind: about its share of the time. */
export function weight({ operands, count }: TunableCall): number {
  return count * Object.values(operands).reduce((sum, { bytes }) => sum + bytes, 0);
}
