import { ramp, randomValues } from "../testing/data.ts";
import { storeValues } from "../testing/stored-values.ts";
import { elementBytes } from "../shared/element-type.ts";
import { defineSuite } from "../testing/suite.ts";
import type { KernelCase } from "../testing/suite.ts";
import { matmul } from "./matmul.ts";
import type { MatmulLive, MatmulShape } from "./matmul.ts";
import { matmulElement } from "./matmul.reference.ts";

interface MatmulTest extends Omit<MatmulShape, "bTransposed" | "type"> {
  readonly name: string;
  readonly type?: MatmulShape["type"];
  readonly M: number;
  readonly batch?: number;
  readonly bTransposed?: boolean;
}

function matmulCase(test: MatmulTest): KernelCase<MatmulLive> {
  const { name, type = "f32", M, batch = 1, bTransposed = true, ...rest } = test;
  const shape: MatmulShape = { ...rest, type, bTransposed };
  const { N, K, addend, sharedB, oneRow = false } = shape;
  const a = storeValues(type, randomValues(batch * M * K, 1));
  const b = storeValues(type, randomValues((sharedB === true ? 1 : batch) * N * K, 2));
  const added = storeValues(type, ramp(addend === "matrix" ? M * N : N, 13, 6, 4));
  const numbers = { a: a.numbers, b: b.numbers, addend: added.numbers };
  const count = batch * M * N;
  const live = batch === 1 ? { M } : { M, batch };
  const isRows = oneRow && bTransposed;
  return {
    name: `${name} ${type} ${batch}x${M}x${K}x${N}`,
    route: (capabilities) => matmul(shape, capabilities),
    expectRoute: () => (isRows ? "matmul_rows" : "matmul_tiled"),
    live,
    operands: () => ({
      a: a.bytes,
      b: b.bytes,
      ...(addend === undefined ? {} : { addend: added.bytes }),
      out: { bytes: elementBytes(type) * count },
    }),
    expected: () => ({
      out: {
        type,
        values: Float64Array.from({ length: count }, (_, index) =>
          matmulElement(shape, live, numbers, index),
        ),
      },
    }),
    // K products of numbers below 1 in f32; f16 has 11 bits.
    tolerance: { absolute: 2e-6 * Math.sqrt(K), relative: type === "f16" ? 6e-4 : 1e-5 },
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
  // f16: rows of odd length share words, and so do tiles.
  matmulCase({ name: "linear", type: "f16", M: 4, K: 64, N: 32 }),
  matmulCase({ name: "linear bias", type: "f16", M: 16, K: 768, N: 768, addend: "row" }),
  matmulCase({ name: "linear odd", type: "f16", M: 37, K: 63, N: 65, addend: "row" }),
  matmulCase({
    name: "linear one row bias",
    type: "f16",
    M: 1,
    K: 63,
    N: 33,
    oneRow: true,
    addend: "row",
  }),
  matmulCase({ name: "mm", type: "f16", M: 33, K: 17, N: 65, bTransposed: false }),
  matmulCase({ name: "bmm", type: "f16", batch: 5, M: 7, K: 20, N: 33, bTransposed: false }),
  matmulCase({
    name: "addmm",
    type: "f16",
    M: 21,
    K: 30,
    N: 41,
    bTransposed: false,
    addend: "matrix",
    alpha: 0.5,
    beta: -2,
  }),
]);
