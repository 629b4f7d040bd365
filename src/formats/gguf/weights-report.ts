import type { GgufFile } from "./read.ts";
import { isSupportedType } from "./tensor-types.ts";

/**
 * One line about the matrices that loading rounds to 4 bits, or undefined where none is: everything
 * of two dimensions that is not Q4_0 already. Types that cannot be loaded do not count.
 */
export function describeRequantized({ tensors }: GgufFile): string | undefined {
  const counts = new Map<string, number>();
  for (const { dims, type } of tensors) {
    if (dims.length < 2 || type.name === "Q4_0" || !isSupportedType(type.name)) continue;
    counts.set(type.name, (counts.get(type.name) ?? 0) + 1);
  }
  if (counts.size === 0) return undefined;
  const parts = [...counts].map(([type, count]) => `${count} ${type}`);
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  return `${parts.join(" and ")} ${total === 1 ? "matrix is" : "matrices are"} rounded to 4 bits (Q4_0)`;
}
