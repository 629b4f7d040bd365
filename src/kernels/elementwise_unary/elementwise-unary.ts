import { UnsupportedError } from "../../errors.ts";
import type { Capabilities } from "../../gpu/capabilities.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { Route } from "../../gpu/kernel.ts";
import {
  elementBytes,
  elementConstant,
  elementParts,
  ELEMENTWISE_WORKGROUP_SIZE,
  isFloat,
  wordGrid,
} from "../shared/element-type.ts";
import roundHalfEven from "../shared/round-half-even.wgsl";
import sigmoid from "../shared/sigmoid.wgsl";
import signedPower from "../shared/signed-power.wgsl";
import source from "./elementwise-unary.wgsl";
import floatOps from "./unary-ops-float.wgsl";
import integerOps from "./unary-ops-integer.wgsl";

/** Operations without further numbers. `round` rounds halves to even. */
export type PlainUnaryOp =
  | "sigmoid"
  | "silu"
  | "relu"
  | "tanh"
  | "exp"
  | "sqrt"
  | "rsqrt"
  | "abs"
  | "neg"
  | "sin"
  | "cos"
  | "round"
  | "gelu_erf"
  | "gelu_tanh"
  | "hardswish";

/** An operation and its numbers; `clamp` without a bound is open on that side. */
export type UnaryOperation =
  | { readonly op: PlainUnaryOp }
  | { readonly op: "clamp"; readonly min?: number; readonly max?: number }
  | { readonly op: "pow_scalar"; readonly exponent: number }
  | { readonly op: "leaky_relu"; readonly slope: number }
  /** out = slope · x + offset. */
  | { readonly op: "affine"; readonly slope: number; readonly offset: number };

/** What is fixed about an elementwise operation on one tensor. */
export type ElementwiseUnaryShape = UnaryOperation & {
  /** Of x and out. f16 is computed in f32. */
  readonly type: "f32" | "f16" | "i32";
};

const INTEGER_OPS: readonly string[] = ["relu", "abs", "neg", "clamp"];

/** Stand for open bounds: the largest f32, and integers that f32 converts back into i32's range. */
const LARGEST = { float: 3.4028234663852886e38, integer: 2147483520 };

function operationParams(shape: ElementwiseUnaryShape): { first: number; second: number } {
  switch (shape.op) {
    case "clamp": {
      const largest = isFloat(shape.type) ? LARGEST.float : LARGEST.integer;
      return { first: shape.min ?? -largest, second: shape.max ?? largest };
    }
    case "pow_scalar":
      return { first: shape.exponent, second: 0 };
    case "leaky_relu":
      return { first: shape.slope, second: 0 };
    case "affine":
      return { first: shape.slope, second: shape.offset };
    default:
      return { first: 0, second: 0 };
  }
}

/**
 * Elementwise operations on one tensor: operands x, out, of `count` elements. Throws
 * `UnsupportedError` for an operation i32 does not have.
 */
export function elementwiseUnary(
  shape: ElementwiseUnaryShape,
  capabilities: Capabilities,
): Route<{ readonly count: number }> {
  const { op, type } = shape;
  if (!isFloat(type) && !INTEGER_OPS.includes(op)) {
    throw new UnsupportedError(
      `elementwise_unary: ${op} of i32 is not supported; supported: ${INTEGER_OPS.join(", ")}`,
    );
  }
  const kernel = defineKernel({
    label: `${op}_${type}`,
    parts: [
      ...elementParts(type),
      ...(isFloat(type) ? [sigmoid, signedPower, roundHalfEven, floatOps] : [integerOps]),
      source,
    ],
    constants: { ELEMENT: elementConstant(type), OP: op.toUpperCase() },
    overrides: { WORKGROUP_SIZE: ELEMENTWISE_WORKGROUP_SIZE },
  });
  const fixed = operationParams(shape);
  return {
    name: "elementwise_unary",
    scratch: {},
    dispatches: [
      {
        kernel,
        bind: { out: "out", x: "x" },
        params: ({ count }) => ({ count, ...fixed }),
        grid: ({ count }) => wordGrid(count, elementBytes(type), capabilities),
      },
    ],
  };
}
