/** Source index of every element of a view, in row-major order of `dims`. */
export function viewIndices(
  dims: readonly number[],
  strides: readonly number[],
  offset: number,
): number[] {
  const count = dims.reduce((product, size) => product * size, 1);
  return Array.from({ length: count }, (_, index) => {
    let rest = index;
    let at = offset;
    for (let d = dims.length - 1; d >= 0; d--) {
      at += (rest % dims[d]!) * strides[d]!;
      rest = Math.floor(rest / dims[d]!);
    }
    return at;
  });
}
