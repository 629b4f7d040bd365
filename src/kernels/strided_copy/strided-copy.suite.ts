import { contiguousStrides, elementCount } from "../shared/strided-dims.ts";
import { defineSuite } from "../testing/suite.ts";
import type { KernelCase } from "../testing/suite.ts";
import { viewIndices } from "./strided-copy.reference.ts";
import { stridedCopy, stridedWrite } from "./strided-copy.ts";
import type { StridedCopyLive, StridedWriteLive } from "./strided-copy.ts";

type ElementBytes = 1 | 2 | 4;

const ARRAYS = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array };
const TYPES = { 1: "u8", 2: "i32", 4: "u32" } as const;
const EXACT = { absolute: 0, relative: 0 };

/** Distinct values as far as the type goes. */
function distinct(count: number, bytes: ElementBytes, first = 1) {
  const values = new ARRAYS[bytes](count);
  values.forEach((_, i) => (values[i] = (i + first) % 2 ** (8 * bytes)));
  return values;
}

/** Two-byte elements are compared as whole words: no expectation type is 16 bits of integer. */
function expectation(values: ArrayLike<number>, bytes: ElementBytes) {
  if (bytes !== 2) return { type: TYPES[bytes], values };
  const halves = new Uint16Array(Math.ceil(values.length / 2) * 2);
  halves.set(Array.from(values));
  return { type: TYPES[bytes], values: new Int32Array(halves.buffer) };
}

interface View {
  readonly dims: readonly number[];
  readonly strides: readonly number[];
  readonly offset?: number;
}

function copyCase(
  name: string,
  sourceCount: number,
  { dims, strides, offset = 0 }: View,
  elementBytes: ElementBytes = 4,
): KernelCase<StridedCopyLive> {
  const source = distinct(sourceCount, elementBytes);
  const values = viewIndices(dims, strides, offset).map((at) => source[at]!);
  return {
    name: `${name} ${8 * elementBytes}-bit`,
    route: (capabilities) => stridedCopy({ elementBytes }, capabilities),
    expectRoute: () => "strided_copy",
    live: { dims, strides, offset },
    operands: () => ({ source, out: { bytes: elementBytes * values.length } }),
    expected: () => ({ out: expectation(values, elementBytes) }),
    tolerance: EXACT,
  };
}

/** A slice of `dims` rows of `width` from a table, starting at row input_pos. */
function positionCase(
  name: string,
  position: number,
  elementBytes: ElementBytes,
): KernelCase<StridedCopyLive> {
  const [rows, width, taken] = [20, 6, 3];
  const source = distinct(rows * width, elementBytes);
  const at = (i: number) => Math.min(position * width + i, source.length - 1);
  const values = Array.from({ length: taken * width }, (_, i) => source[at(i)]!);
  return {
    name: `${name} ${8 * elementBytes}-bit`,
    route: (capabilities) => stridedCopy({ elementBytes, hasPosition: true }, capabilities),
    expectRoute: () => "strided_copy",
    live: { dims: [taken, width], strides: [width, 1], offset: 0, positionStride: width },
    operands: () => ({
      source,
      input_pos: Int32Array.of(position),
      out: { bytes: elementBytes * values.length },
    }),
    expected: () => ({ out: expectation(values, elementBytes) }),
    tolerance: EXACT,
  };
}

/** One part of a cat: `part` goes into out along `dim` from `start`; the rest of out must stay. */
function writeCase(
  outDims: readonly number[],
  dim: number,
  start: number,
  length: number,
  elementBytes: ElementBytes,
): KernelCase<StridedWriteLive> {
  const dims = outDims.map((size, d) => (d === dim ? length : size));
  const outStrides = contiguousStrides(outDims);
  const outOffset = start * outStrides[dim]!;
  const source = distinct(elementCount(dims), elementBytes);
  const out = distinct(elementCount(outDims), elementBytes, 101);
  const values = out.slice();
  viewIndices(dims, outStrides, outOffset).forEach((at, i) => (values[at] = source[i]!));
  const packed = elementBytes < 4;
  return {
    name: `write ${length} at ${start} of dim ${dim} of (${outDims.join(",")}) ${8 * elementBytes}-bit`,
    route: (capabilities) => stridedWrite({ elementBytes }, capabilities),
    expectRoute: () => (packed ? "strided_write_packed" : "strided_write"),
    live: { dims, strides: contiguousStrides(dims), offset: 0, outStrides, outOffset },
    operands: () => ({ source, out }),
    expected: () => ({ out: expectation(values, elementBytes) }),
    tolerance: EXACT,
  };
}

function permuted(dims: readonly number[], order: readonly number[]): View {
  const strides = contiguousStrides(dims);
  return { dims: order.map((d) => dims[d]!), strides: order.map((d) => strides[d]!) };
}

const widths: readonly ElementBytes[] = [4, 2, 1];

/** Shapes of ExecuTorch's own suites of slice, select, permute, expand, flip, repeat and cat. */
export const stridedCopySuite = defineSuite("strided_copy", [
  ...widths.flatMap((bytes) => [
    // Of (3, 8, 4): select and slice.
    copyCase("select dim 0", 96, { dims: [8, 4], strides: [4, 1], offset: 32 }, bytes),
    copyCase("select last dim", 96, { dims: [3, 8], strides: [32, 4], offset: 3 }, bytes),
    copyCase("slice 1:5", 96, { dims: [3, 4, 4], strides: [32, 4, 1], offset: 4 }, bytes),
    copyCase("slice step 2", 96, { dims: [3, 4, 4], strides: [32, 8, 1] }, bytes),
    copyCase("slice odd", 96, { dims: [3, 8, 3], strides: [32, 4, 1], offset: 1 }, bytes),
    copyCase("permute (2,0,1)", 60, permuted([3, 4, 5], [2, 0, 1]), bytes),
    copyCase("permute (0,2,1,3)", 210, permuted([2, 3, 5, 7], [0, 2, 1, 3]), bytes),
    copyCase("permute (3,1,0,2)", 210, permuted([2, 3, 5, 7], [3, 1, 0, 2]), bytes),
    copyCase("expand", 5, { dims: [3, 5, 7], strides: [0, 1, 0] }, bytes),
    copyCase("flip both", 35, { dims: [5, 7], strides: [-7, -1], offset: 34 }, bytes),
    // (2, 3) repeated twice and three times: each dimension twice, the repeats of stride 0.
    copyCase("repeat (2,3)", 6, { dims: [2, 2, 3, 3], strides: [0, 3, 0, 1] }, bytes),
    copyCase("scalar", 3, { dims: [], strides: [], offset: 2 }, bytes),
    positionCase("slice from a position", 7, bytes),
    positionCase("slice past the end is clamped", 19, bytes),
    writeCase([6, 3], 0, 2, 2, bytes),
    writeCase([2, 8, 8], 1, 4, 4, bytes),
    writeCase([2, 6, 4], 1, 1, 3, bytes),
    writeCase([3, 5, 7], 2, 3, 4, bytes),
    writeCase([3, 5, 7], 2, 0, 3, bytes),
  ]),
  copyCase("permute (1,0)", 1500, permuted([30, 50], [1, 0])),
  copyCase(
    "eight dims reversed",
    256,
    permuted([2, 2, 2, 2, 2, 2, 2, 2], [7, 6, 5, 4, 3, 2, 1, 0]),
  ),
  copyCase("contiguous", 70_000, { dims: [7, 100, 100], strides: [10_000, 100, 1] }),
]);
