import type { Capabilities } from "../../gpu/capabilities.ts";
import type { Route } from "../../gpu/kernel.ts";
import { contiguousStrides } from "../shared/strided-dims.ts";
import { stridedWrite } from "../strided_copy/strided-copy.ts";
import type { StridedWriteLive } from "../strided_copy/strided-copy.ts";

/** What is fixed about `aten.cat`. */
export interface CatShape {
  readonly elementBytes: 1 | 2 | 4;
  readonly axis: number;
  /** Number of inputs. */
  readonly inputs: number;
}

/** Live sizes. */
export interface CatLive {
  /** Of out. */
  readonly dims: readonly number[];
  /** Of each input along the axis; in sum out's. */
  readonly lengths: readonly number[];
}

function partOf({ dims, lengths }: CatLive, axis: number, input: number): StridedWriteLive {
  const start = lengths.slice(0, input).reduce((sum, length) => sum + length, 0);
  const partDims = dims.map((size, d) => (d === axis ? (lengths[input] ?? 0) : size));
  const outStrides = contiguousStrides(dims);
  return {
    dims: partDims,
    strides: contiguousStrides(partDims),
    offset: 0,
    outStrides,
    outOffset: start * (outStrides[axis] ?? 1),
  };
}

/** `aten.cat`: operands input0, input1, … and out; one dispatch an input. */
export function cat(
  { elementBytes, axis, inputs }: CatShape,
  capabilities: Capabilities,
): Route<CatLive> {
  const { name, dispatches } = stridedWrite({ elementBytes }, capabilities);
  return {
    name: `cat_${name}`,
    scratch: {},
    dispatches: Array.from({ length: inputs }, (_, input) =>
      dispatches.map(({ kernel, bind, params, grid }) => ({
        kernel,
        bind: { ...bind, source: `input${input}` },
        params: (live: CatLive) => params(partOf(live, axis, input)),
        grid: (live: CatLive) => grid(partOf(live, axis, input)),
      })),
    ).flat(),
  };
}
