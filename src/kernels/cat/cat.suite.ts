import { elementBytes } from "../shared/element-type.ts";
import type { ElementType } from "../shared/element-type.ts";
import { elementCount } from "../shared/strided-dims.ts";
import { ramp } from "../testing/data.ts";
import { expectationType, storeValues } from "../testing/stored-values.ts";
import { defineSuite } from "../testing/suite.ts";
import type { KernelCase } from "../testing/suite.ts";
import { cat } from "./cat.ts";
import type { CatLive } from "./cat.ts";
import { catReference } from "./cat.reference.ts";

function catCase(
  type: ElementType,
  inputDims: readonly (readonly number[])[],
  axis: number,
): KernelCase<CatLive> {
  const bytes = elementBytes(type) as 1 | 2 | 4;
  const lengths = inputDims.map((dims) => dims[axis]!);
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const dims = inputDims[0]!.map((size, d) => (d === axis ? total : size));
  const inputs = inputDims.map((dims, i) => {
    const count = elementCount(dims);
    return storeValues(type, ramp(count, 50, type === "u8" ? -50 * i : 50 * i, 1));
  });
  const values = catReference(
    inputs.map(({ numbers }) => numbers),
    lengths,
    elementCount(dims.slice(0, axis)),
    elementCount(dims.slice(axis + 1)),
  );
  return {
    name: `${type} ${inputDims.map((dims) => `(${dims.join(",")})`).join(" ")} axis ${axis}`,
    route: (capabilities) =>
      cat({ elementBytes: bytes, axis, inputs: inputs.length }, capabilities),
    expectRoute: () => (bytes === 4 ? "cat_strided_write" : "cat_strided_write_packed"),
    live: { dims, lengths },
    operands: () => ({
      ...Object.fromEntries(inputs.map(({ bytes }, i) => [`input${i}`, bytes])),
      out: { bytes: bytes * values.length },
    }),
    expected: () => ({ out: { type: expectationType(type), values } }),
    tolerance: { absolute: 0, relative: 0 },
  };
}

/** Shapes of ExecuTorch's own suite. */
export const catSuite = defineSuite(
  "cat",
  (["f32", "f16", "u8"] as const).flatMap((type) => [
    catCase(
      type,
      [
        [2, 3],
        [2, 3],
        [2, 3],
      ],
      0,
    ),
    catCase(
      type,
      [
        [1, 4, 8],
        [1, 4, 8],
      ],
      1,
    ),
    catCase(
      type,
      [
        [2, 3, 4],
        [2, 3, 4],
        [2, 3, 4],
      ],
      2,
    ),
    catCase(
      type,
      [
        [2, 1, 4],
        [2, 3, 4],
        [2, 2, 4],
      ],
      1,
    ),
    catCase(
      type,
      [
        [3, 5, 1],
        [3, 5, 2],
      ],
      2,
    ),
    catCase(type, [[4]], 0),
  ]),
);
