/** Where in x [xDims] the element at `coordinates` lies once `axis` is replaced by `index`. */
export function gatherReference(
  x: ArrayLike<number>,
  xDims: readonly number[],
  axis: number,
  coordinates: readonly number[],
  index: number,
): number {
  const size = xDims[axis]!;
  const wrapped = Math.min(Math.max(index < 0 ? index + size : index, 0), size - 1);
  let at = 0;
  for (const [d, size] of xDims.entries()) {
    at = at * size + (d === axis ? wrapped : coordinates[d]!);
  }
  return x[at]!;
}

/** Coordinates of every element of a tensor, in row-major order. */
export function allCoordinates(dims: readonly number[]): number[][] {
  return dims.reduce<number[][]>(
    (prefixes, size) =>
      prefixes.flatMap((prefix) => Array.from({ length: size }, (_, i) => [...prefix, i])),
    [[]],
  );
}
