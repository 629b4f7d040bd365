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
import signedPower from "../shared/signed-power.wgsl";
import { elementCount, stridedParams } from "../shared/strided-dims.ts";
import floatOps from "./binary-ops-float.wgsl";
import integerOps from "./binary-ops-integer.wgsl";
import broadcastSource from "./elementwise-binary-broadcast.wgsl";
import source from "./elementwise-binary.wgsl";

/** `add` and `sub` take b times alpha; `div_floor` rounds the quotient down. */
export type BinaryOp = "add" | "sub" | "mul" | "div" | "minimum" | "pow" | "div_floor";

const INTEGER_OPS: readonly BinaryOp[] = ["add", "sub", "mul", "minimum", "div_floor"];

/** What is fixed about an elementwise operation on two tensors. */
export interface ElementwiseBinaryShape {
  readonly op: BinaryOp;
  /** Of a, b and out. f16 is computed in f32. */
  readonly type: "f32" | "f16" | "i32";
  /** Factor of b in `add` and `sub`; 1 if absent. For i32 an integer below 2^24. */
  readonly alpha?: number;
  /** False where a, b and out have one shape, or b is a view of it: no index arithmetic. */
  readonly broadcast: boolean;
}

/** Live sizes of operands of one shape. */
export interface SameShapeLive {
  /** Elements. */
  readonly count: number;
}

/** Live sizes with broadcasting; strides in elements, 0 where an operand repeats. */
export interface BroadcastLive {
  /** Of out, which is contiguous; up to eight that cannot be merged. */
  readonly dims: readonly number[];
  readonly aStrides: readonly number[];
  readonly bStrides: readonly number[];
}

function binaryKernel({ op, type, broadcast }: ElementwiseBinaryShape) {
  if (!isFloat(type) && !INTEGER_OPS.includes(op)) {
    throw new UnsupportedError(
      `elementwise_binary: ${op} of i32 is not supported; supported: ${INTEGER_OPS.join(", ")}`,
    );
  }
  return defineKernel({
    label: `${op}_${type}${broadcast ? "_broadcast" : ""}`,
    parts: [
      ...elementParts(type),
      ...(isFloat(type) ? [signedPower, floatOps] : [integerOps]),
      broadcast ? broadcastSource : source,
    ],
    constants: { ELEMENT: elementConstant(type), OP: op.toUpperCase() },
    overrides: { WORKGROUP_SIZE: ELEMENTWISE_WORKGROUP_SIZE },
  });
}

/**
 * `aten.add`, `sub`, `mul`, `div`, `minimum`, `pow` and floor division of two tensors: operands a,
 * b, out. Throws `UnsupportedError` for an operation i32 does not have.
 */
export function elementwiseBinary(
  shape: ElementwiseBinaryShape & { readonly broadcast: false },
  capabilities: Capabilities,
): Route<SameShapeLive>;
export function elementwiseBinary(
  shape: ElementwiseBinaryShape & { readonly broadcast: true },
  capabilities: Capabilities,
): Route<BroadcastLive>;
export function elementwiseBinary(
  shape: ElementwiseBinaryShape,
  capabilities: Capabilities,
): Route<SameShapeLive> | Route<BroadcastLive> {
  const kernel = binaryKernel(shape);
  const { type, alpha = 1 } = shape;
  const bytes = elementBytes(type);
  const bind = { out: "out", a: "a", b: "b" };
  if (!shape.broadcast) {
    return {
      name: "elementwise_binary",
      scratch: {},
      dispatches: [
        {
          kernel,
          bind,
          params: ({ count }: SameShapeLive) => ({ count, alpha }),
          grid: ({ count }: SameShapeLive) => wordGrid(count, bytes, capabilities),
        },
      ],
    };
  }
  return {
    name: "elementwise_binary_broadcast",
    scratch: {},
    dispatches: [
      {
        kernel,
        bind,
        params: ({ dims, aStrides, bStrides }: BroadcastLive) => ({
          alpha,
          ...stridedParams(dims, { a_stride: aStrides, b_stride: bStrides }),
        }),
        grid: ({ dims }: BroadcastLive) => wordGrid(elementCount(dims), bytes, capabilities),
      },
    ],
  };
}
