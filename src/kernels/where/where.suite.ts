import { elementBytes } from "../shared/element-type.ts";
import type { ElementType } from "../shared/element-type.ts";
import { contiguousStrides, elementCount } from "../shared/strided-dims.ts";
import { ramp } from "../testing/data.ts";
import { expectationType, storeValues } from "../testing/stored-values.ts";
import { defineSuite } from "../testing/suite.ts";
import type { KernelCase } from "../testing/suite.ts";
import { where } from "./where.ts";
import type { WhereLive } from "./where.ts";
import { whereReference } from "./where.reference.ts";

function whereCase(name: string, type: ElementType, live: WhereLive): KernelCase<WhereLive> {
  const count = elementCount(live.dims);
  const bytes = elementBytes(type) as 1 | 2 | 4;
  const condition = storeValues(
    "bool",
    ramp(count, 3, 0, 1).map((value) => (value === 1 ? 1 : 0)),
  );
  const a = storeValues(type, ramp(count, 50, 0, 1));
  const b = storeValues(type, ramp(count, 37, -51, 1));
  return {
    name: `${name} ${type}`,
    route: (capabilities) => where({ elementBytes: bytes }, capabilities),
    expectRoute: () => "where",
    live,
    operands: () => ({
      condition: condition.bytes,
      a: a.bytes,
      b: b.bytes,
      out: { bytes: bytes * count },
    }),
    expected: () => ({
      out: {
        type: expectationType(type),
        values: whereReference(condition.numbers, a.numbers, b.numbers, live),
      },
    }),
    tolerance: { absolute: 0, relative: 0 },
  };
}

function sameShape(dims: readonly number[]): WhereLive {
  const strides = contiguousStrides(dims);
  return { dims, conditionStrides: strides, aStrides: strides, bStrides: strides };
}

// A causal mask [S, C] over scores [H, S, C], and one number instead of a tensor.
const masked: WhereLive = {
  dims: [4, 7, 9],
  conditionStrides: [0, 9, 1],
  aStrides: [63, 9, 1],
  bStrides: [0, 0, 0],
};

export const whereSuite = defineSuite(
  "where",
  (["f32", "f16", "i32", "u8"] as const).flatMap((type) => [
    whereCase("(37,41)", type, sameShape([37, 41])),
    whereCase("masked", type, masked),
    whereCase("rows", type, {
      dims: [5, 3],
      conditionStrides: [1, 0],
      aStrides: [0, 1],
      bStrides: [3, 1],
    }),
    whereCase("scalar", type, { dims: [], conditionStrides: [], aStrides: [], bStrides: [] }),
  ]),
);
