import type { ScalarType } from "../formats/pte/element-types.ts";
import type { TypedTensor } from "./typed-tensor.ts";

/** A value of a method while it runs: a tensor here, a tensor on the GPU, or something plain. */
export type Value =
  | { readonly kind: "host"; readonly tensor: TypedTensor }
  | {
      readonly kind: "gpu";
      readonly buffer: GPUBuffer;
      readonly type: ScalarType;
      readonly dims: readonly number[];
    }
  | { readonly kind: "plain"; readonly value: PlainValue };

/** What is no tensor. */
export type PlainValue = number | bigint | boolean | string | null;

/** Type and dims of a tensor, wherever it is; undefined for a plain value. */
export function tensorShape(
  value: Value,
): { readonly type: ScalarType; readonly dims: readonly number[] } | undefined {
  if (value.kind === "plain") return undefined;
  return value.kind === "host" ? value.tensor : value;
}
