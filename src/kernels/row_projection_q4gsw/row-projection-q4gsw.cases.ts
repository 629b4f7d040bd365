import type { randomMatrix } from "../linear_q4gsw/linear-q4gsw.cases.ts";

type Made = ReturnType<typeof randomMatrix>;

/** Matrices one after another: operands weight and scales. */
export function joinedMatrices(matrices: readonly Made[]) {
  const weight = Uint32Array.from(matrices.flatMap(({ matrix }) => [...matrix.weight]));
  const values = matrices.flatMap(({ scales }) => [...scales]);
  const [first] = matrices;
  const scales =
    first?.scales instanceof Uint16Array ? Uint16Array.from(values) : Float32Array.from(values);
  return { weight, scales };
}
