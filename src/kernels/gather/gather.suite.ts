import { elementBytes } from "../shared/element-type.ts";
import type { ElementType } from "../shared/element-type.ts";
import { elementCount } from "../shared/strided-dims.ts";
import { ramp } from "../testing/data.ts";
import { expectationType, storeValues } from "../testing/stored-values.ts";
import { defineSuite } from "../testing/suite.ts";
import type { KernelCase } from "../testing/suite.ts";
import { gather, gatherLive, indexSelectLive } from "./gather.ts";
import type { GatherLive } from "./gather.ts";
import { allCoordinates, gatherReference } from "./gather.reference.ts";

interface GatherTest {
  readonly name: string;
  readonly type: ElementType;
  readonly xDims: readonly number[];
  readonly axis: number;
  readonly indices: Int32Array<ArrayBuffer>;
  /** Dims of indices for a gather; an index_select has one. */
  readonly indexDims?: readonly number[];
}

function gatherCase(test: GatherTest): KernelCase<GatherLive> {
  const { name, type, xDims, axis, indices, indexDims } = test;
  const bytes = elementBytes(type) as 1 | 2 | 4;
  const x = storeValues(type, ramp(elementCount(xDims), 251, type === "u8" ? 0 : 125, 1));
  const live =
    indexDims === undefined
      ? indexSelectLive(xDims, axis, indices.length)
      : gatherLive(xDims, axis, indexDims);
  const values = allCoordinates(live.dims).map((coordinates, i) =>
    gatherReference(
      x.numbers,
      xDims,
      axis,
      coordinates,
      indexDims === undefined ? indices[coordinates[axis]!]! : indices[i]!,
    ),
  );
  return {
    name: `${name} ${type}`,
    route: (capabilities) => gather({ elementBytes: bytes }, capabilities),
    expectRoute: () => "gather",
    live,
    operands: () => ({ x: x.bytes, indices, out: { bytes: bytes * values.length } }),
    expected: () => ({ out: { type: expectationType(type), values } }),
    tolerance: { absolute: 0, relative: 0 },
  };
}

const picks = (count: number, size: number) =>
  Int32Array.from({ length: count }, (_, i) => (i * 7 + 3) % size);

/** Shapes of ExecuTorch's own suites of embedding, index and index_select, then gather. */
export const gatherSuite = defineSuite("gather", [
  gatherCase({ name: "embedding", type: "f32", xDims: [16, 8], axis: 0, indices: picks(5, 16) }),
  gatherCase({
    name: "embedding",
    type: "f32",
    xDims: [1024, 768],
    axis: 0,
    indices: picks(6, 1024),
  }),
  gatherCase({ name: "1-D", type: "f32", xDims: [30], axis: 0, indices: picks(12, 30) }),
  ...(["f32", "f16", "u8", "i32"] as const).flatMap((type) => [
    gatherCase({ name: "rows", type, xDims: [9, 5], axis: 0, indices: picks(7, 9) }),
    gatherCase({ name: "middle", type, xDims: [3, 6, 5], axis: 1, indices: picks(4, 6) }),
    gatherCase({ name: "last", type, xDims: [3, 4, 7], axis: 2, indices: picks(5, 7) }),
    gatherCase({
      name: "negative and out of range",
      type,
      xDims: [6, 3],
      axis: 0,
      indices: Int32Array.of(-1, -6, 6, 100, -7),
    }),
    gatherCase({
      name: "gather dim 1",
      type,
      xDims: [4, 6, 5],
      axis: 1,
      indices: picks(3 * 2 * 5, 6),
      indexDims: [3, 2, 5],
    }),
    gatherCase({
      name: "gather last",
      type,
      xDims: [4, 9],
      axis: 1,
      indices: picks(12, 9),
      indexDims: [4, 3],
    }),
  ]),
]);
