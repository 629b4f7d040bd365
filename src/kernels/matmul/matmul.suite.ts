import { ramp, randomValues } from "../testing/data.ts";
import { defineSuite } from "../testing/suite.ts";
import type { KernelCase } from "../testing/suite.ts";
import { matmul } from "./matmul.ts";
import type { MatmulLive, MatmulShape } from "./matmul.ts";
import { matmulElement } from "./matmul.reference.ts";

interface MatmulTest extends Omit<MatmulShape, "bTransposed"> {
  readonly name: string;
  readonly M: number;
  readonly batch?: number;
  readonly bTransposed?: boolean;
}

function matmulCase(test: MatmulTest): KernelCase<MatmulLive> {
  const { name, M, batch = 1, bTransposed = true, ...rest } = test;
  const shape: MatmulShape = { ...rest, bTransposed };
  const { N, K, addend, sharedB, oneRow = false } = shape;
  const a = randomValues(batch * M * K, 1);
  const b = randomValues((sharedB === true ? 1 : batch) * N * K, 2);
  const added = ramp(addend === "matrix" ? M * N : N, 13, 6, 4);
  const count = batch * M * N;
  const live = batch === 1 ? { M } : { M, batch };
  const isRows = oneRow && bTransposed;
  return {
    name: `${name} ${batch}x${M}x${K}x${N}`,
    route: (capabilities) => matmul(shape, capabilities),
    expectRoute: () => (isRows ? "matmul_rows" : "matmul_tiled"),
    live,
    operands: () => ({
      a,
      b,
      ...(addend === undefined ? {} : { addend: added }),
      out: { bytes: 4 * count },
    }),
    expected: () => ({
      out: {
        type: "f32",
        values: Float64Array.from({ length: count }, (_, index) =>
          matmulElement(shape, live, { a, b, addend: added }, index),
        ),
      },
    }),
    // K products of numbers below 1 in f32.
    tolerance: { absolute: 2e-6 * Math.sqrt(K), relative: 1e-5 },
  };
}

/** Shapes of ExecuTorch's own suites of linear, mm, bmm and addmm, then odd ones. */
export const matmulSuite = defineSuite("matmul", [
  matmulCase({ name: "linear", M: 4, K: 64, N: 32 }),
  matmulCase({ name: "linear bias", M: 4, K: 64, N: 32, addend: "row" }),
  matmulCase({ name: "linear bias", M: 16, K: 768, N: 768, addend: "row" }),
  matmulCase({ name: "linear", M: 256, K: 128, N: 64 }),
  matmulCase({ name: "linear", M: 8, K: 1024, N: 1024 }),
  matmulCase({ name: "linear odd K", M: 4, K: 63, N: 32 }),
  matmulCase({ name: "linear one row", M: 1, K: 768, N: 500, oneRow: true }),
  matmulCase({ name: "linear one row bias", M: 1, K: 63, N: 33, oneRow: true, addend: "row" }),
  matmulCase({ name: "mm", M: 33, K: 17, N: 65, bTransposed: false }),
  matmulCase({ name: "mm one row", M: 1, K: 40, N: 65, bTransposed: false, oneRow: true }),
  matmulCase({ name: "mm one", M: 1, K: 1, N: 1, bTransposed: false }),
  matmulCase({ name: "bmm", batch: 5, M: 7, K: 20, N: 34, bTransposed: false }),
  matmulCase({ name: "bmm transposed", batch: 3, M: 40, K: 16, N: 9 }),
  matmulCase({ name: "bmm shared", batch: 3, M: 4, K: 16, N: 9, sharedB: true }),
  matmulCase({
    name: "addmm",
    M: 20,
    K: 30,
    N: 40,
    bTransposed: false,
    addend: "matrix",
    alpha: 0.5,
    beta: -2,
  }),
  matmulCase({ name: "addmm row", M: 9, K: 33, N: 31, bTransposed: false, addend: "row", beta: 3 }),
]);
