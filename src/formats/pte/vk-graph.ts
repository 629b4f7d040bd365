/** A delegate's compute graph (`VK00`) as typed tables. Every index in it was checked. */
import type { ByteRange } from "./byte-range.ts";
import type { VkDataType } from "./element-types.ts";

export interface VkGraph {
  /** Operators in execution order. */
  readonly chain: readonly OperatorCall[];
  readonly values: readonly VkValue[];
  /** Indices of tensors or SymInts, in the order of a delegate call's first arguments. */
  readonly inputIds: readonly number[];
  /** Indices of tensors or SymInts, in the order of a delegate call's last arguments. */
  readonly outputIds: readonly number[];
  readonly constants: readonly VkConstant[];
}

/** `et_vk.rms_norm.default` and the indices of its arguments, the output last. */
export interface OperatorCall {
  readonly nodeId: number;
  readonly name: string;
  readonly args: readonly number[];
}

export interface VkConstant {
  /** Its name in named data; undefined where the bytes are in the delegate itself. */
  readonly key: string | undefined;
  readonly range: ByteRange;
}

/**
 * Numbers are shared by value whatever their type, so that an integer parameter may be a "double"
 * and the reverse.
 */
export type VkValue =
  | { readonly kind: "null" }
  /** The end of an open slice is 2^63 - 1. */
  | { readonly kind: "int"; readonly value: bigint }
  | { readonly kind: "double"; readonly value: number }
  | { readonly kind: "bool"; readonly value: boolean }
  | VkTensor
  | { readonly kind: "intList"; readonly items: readonly bigint[] }
  | { readonly kind: "doubleList"; readonly items: readonly number[] }
  | { readonly kind: "boolList"; readonly items: readonly boolean[] }
  /** Items are indices of values that are no lists themselves. */
  | { readonly kind: "valueList"; readonly items: readonly number[] }
  | { readonly kind: "string"; readonly value: string }
  /** An integer computed when the graph runs; `value` is a placeholder. */
  | { readonly kind: "symInt"; readonly value: number };

/** The exporter's choice of texture or buffer and its memory layout are left out: hints to others. */
export interface VkTensor {
  readonly kind: "tensor";
  readonly type: VkDataType;
  /** Outermost first; upper bounds where the graph is dynamic; empty for a scalar. */
  readonly dims: readonly number[];
  /** Index into the graph's constants: the tensor's initial bytes. */
  readonly constantId: number | undefined;
  /** Tensors with one number share memory by the exporter's plan; undefined: has its own. */
  readonly memoryObjectId: number | undefined;
  /** Type on the caller's side; undefined: the tensor's. */
  readonly stagingType: VkDataType | undefined;
}
