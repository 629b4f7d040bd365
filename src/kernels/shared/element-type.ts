import type { Capabilities } from "../../gpu/capabilities.ts";
import { divideCeil, elementwiseGrid } from "../../gpu/dispatch-grid.ts";
import type { Grid } from "../../gpu/kernel.ts";
import elementFloat from "./element-float.wgsl";
import elementInteger from "./element-integer.wgsl";
import elementTypes from "./element-types.wgsl";
import invocationIndex from "./invocation-index.wgsl";
import storeHalf from "./store-half.wgsl";
import storeWord from "./store-word.wgsl";

/**
 * Types of tensor elements, as stored in u32 words: f16 are two a word, i8, u8 and bool four, the
 * first in the low bits. A buffer's last word may be partly padding, which kernels overwrite.
 */
export type ElementType = "f32" | "f16" | "i32" | "i8" | "u8" | "bool";

const BYTES: Readonly<Record<ElementType, number>> = {
  f32: 4,
  i32: 4,
  f16: 2,
  i8: 1,
  u8: 1,
  bool: 1,
};

/** Bytes of an element. */
export function elementBytes(type: ElementType): number {
  return BYTES[type];
}

/** The type's name in `shared/element-types.wgsl`. */
export function elementConstant(type: ElementType): string {
  return type.toUpperCase();
}

export function isFloat(type: ElementType): boolean {
  return type === "f32" || type === "f16";
}

/** Invocations a workgroup of kernels that give each word of the output an invocation. */
export const ELEMENTWISE_WORKGROUP_SIZE = 64;

/** WGSL parts of a kernel that gives each word of one element type an invocation. */
export function elementParts(type: ElementType): string[] {
  return [invocationIndex, elementTypes, isFloat(type) ? elementFloat : elementInteger];
}

/** WGSL parts of a kernel whose lanes store single elements of `out`, wherever in a word they lie. */
export function elementStoreParts(type: "f32" | "f16" | "i32"): string[] {
  const store = type === "f16" ? storeHalf : storeWord;
  return [elementTypes, isFloat(type) ? elementFloat : elementInteger, store];
}

/** Helpers of a kernel that names its element types itself: see `shared/element-types.wgsl`. */
export const ELEMENT_TYPE_PARTS: readonly string[] = [invocationIndex, elementTypes];

/** The grid that gives each word of `count` elements of `bytes` each an invocation. */
export function wordGrid(count: number, bytes: number, capabilities: Capabilities): Grid {
  return elementwiseGrid(divideCeil(count * bytes, 4), ELEMENTWISE_WORKGROUP_SIZE, capabilities);
}
