/** Compares what an operand holds after a run with what a case expects of it. */
import { f16ToF32 } from "../../quant/f16.ts";
import { compare } from "./compare.ts";
import type { Deviation, Tolerance } from "./compare.ts";
import { checkMatrix } from "./matrix-check.ts";
import type { Expectation, Numbers, StoredType } from "./suite.ts";

function asNumbers(type: StoredType, bytes: ArrayBuffer): Numbers {
  if (typeof type === "function") return type(bytes);
  switch (type) {
    case "f32":
      return new Float32Array(bytes);
    case "f16":
      return f16ToF32(new Uint16Array(bytes));
    case "i32":
      return new Int32Array(bytes);
    case "u32":
      return new Uint32Array(bytes);
    case "i8":
      return new Int8Array(bytes);
    case "u8":
      return new Uint8Array(bytes);
    default:
      throw new Error(`unknown type ${String(type satisfies never)}`);
  }
}

/** How far `bytes` are from an expectation. `seed` draws the samples of large outputs. */
export function checkExpectation(
  bytes: ArrayBuffer,
  expectation: Expectation,
  tolerance: Tolerance,
  seed: number,
): Deviation {
  const actual = asNumbers(expectation.type, bytes);
  if ("matrix" in expectation) return checkMatrix(actual, expectation.matrix, tolerance, seed);
  const { values, indices, tolerance: own = tolerance } = expectation;
  // Buffers are padded to words; the padding is nobody's.
  const trimmed = indices === undefined ? actual.subarray(0, values.length) : actual;
  return compare(trimmed, values, own, indices);
}

/** An expectation's own tolerance is for the operator: a candidate's may be more. */
export function allowing(expectation: Expectation, tolerance: Tolerance): Expectation {
  if ("matrix" in expectation || expectation.tolerance === undefined) return expectation;
  const { absolute, relative } = expectation.tolerance;
  return {
    ...expectation,
    tolerance: {
      absolute: Math.max(absolute, tolerance.absolute),
      relative: Math.max(relative, tolerance.relative),
    },
  };
}
