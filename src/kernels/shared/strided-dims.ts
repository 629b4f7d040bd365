/** The most dimensions a strided kernel walks, after {@link stridedParams} has merged what it can. */
export const MAX_RANK = 8;

/** Row-major strides of a contiguous tensor, in elements. */
export function contiguousStrides(dims: readonly number[]): number[] {
  const strides = dims.map(() => 1);
  for (let d = dims.length - 2; d >= 0; d--) strides[d] = strides[d + 1]! * dims[d + 1]!;
  return strides;
}

/** Number of elements of a tensor. */
export function elementCount(dims: readonly number[]): number {
  return dims.reduce((product, size) => product * size, 1);
}

/**
 * `Params` members of a kernel that walks `dims` with several sets of strides at once: `count`,
 * `rank`, `size0` … `size7` and for each set `<name>0` … `<name>7`, the innermost dimension first.
 * Dimensions of size 1 are dropped and neighbours merged where every set allows it. Throws where
 * strides do not fit `dims` or more than {@link MAX_RANK} dimensions remain.
 */
export function stridedParams(
  dims: readonly number[],
  strides: Readonly<Record<string, readonly number[]>>,
): Record<string, number> {
  const names = Object.keys(strides);
  for (const name of names) {
    if (strides[name]!.length !== dims.length) {
      throw new Error(`strided: ${strides[name]!.length} ${name} strides for ${dims.length} dims`);
    }
  }
  const sizes: number[] = [];
  const merged: Record<string, number[]> = Object.fromEntries(names.map((name) => [name, []]));
  for (let d = dims.length - 1; d >= 0; d--) {
    const size = dims[d]!;
    if (size === 1) continue;
    const inner = sizes.length - 1;
    const continues =
      inner >= 0 &&
      names.every((name) => strides[name]![d] === merged[name]![inner]! * sizes[inner]!);
    if (continues) {
      sizes[inner] = sizes[inner]! * size;
    } else {
      sizes.push(size);
      for (const name of names) merged[name]!.push(strides[name]![d]!);
    }
  }
  if (sizes.length > MAX_RANK) {
    throw new Error(`strided: ${sizes.length} dimensions; at most ${MAX_RANK} are supported`);
  }
  const params: Record<string, number> = { count: elementCount(dims), rank: sizes.length };
  for (let d = 0; d < MAX_RANK; d++) {
    params[`size${d}`] = sizes[d] ?? 1;
    for (const name of names) params[`${name}${d}`] = merged[name]![d] ?? 0;
  }
  return params;
}
