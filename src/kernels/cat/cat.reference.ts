/** Concatenation of tensors [outer, length of each, inner] along the middle. */
export function catReference(
  inputs: readonly ArrayLike<number>[],
  lengths: readonly number[],
  outer: number,
  inner: number,
): number[] {
  const out: number[] = [];
  for (let o = 0; o < outer; o++) {
    for (const [i, input] of inputs.entries()) {
      const row = lengths[i]! * inner;
      for (let c = 0; c < row; c++) out.push(input[o * row + c]!);
    }
  }
  return out;
}
