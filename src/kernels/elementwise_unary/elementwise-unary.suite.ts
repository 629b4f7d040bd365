import { f16ToF32, f32ToF16 } from "../../quant/f16.ts";
import { ramp } from "../testing/data.ts";
import { defineSuite } from "../testing/suite.ts";
import type { KernelCase } from "../testing/suite.ts";
import { elementwiseUnary } from "./elementwise-unary.ts";
import type { ElementwiseUnaryShape, UnaryOperation } from "./elementwise-unary.ts";
import { unaryReference } from "./elementwise-unary.reference.ts";

type Type = ElementwiseUnaryShape["type"];

function stored(type: Type, values: Float32Array<ArrayBuffer>) {
  if (type === "i32") {
    const ints = Int32Array.from(values, (value) => Math.round(16 * value));
    return { bytes: ints, numbers: ints };
  }
  if (type === "f16") {
    const bits = f32ToF16(values);
    return { bytes: bits, numbers: f16ToF32(bits) };
  }
  return { bytes: values, numbers: values };
}

/** Beyond f16's range a result is an infinity. */
function rounded(type: Type, value: number): number {
  return type === "f16" && Math.abs(value) >= 65520 ? value * Infinity : value;
}

interface CaseOptions {
  readonly type?: Type;
  readonly absolute?: number;
  readonly heavy?: string;
}

function unaryCase(
  name: string,
  operation: UnaryOperation,
  values: Float32Array<ArrayBuffer>,
  { type = "f32", absolute = 2e-6, heavy }: CaseOptions = {},
): KernelCase<{ readonly count: number }> {
  const count = values.length;
  const x = stored(type, values);
  return {
    name: `${operation.op} ${type} ${name}`,
    route: (capabilities) => elementwiseUnary({ ...operation, type }, capabilities),
    expectRoute: () => "elementwise_unary",
    live: { count },
    operands: () => ({ x: x.bytes, out: { bytes: x.bytes.byteLength } }),
    expected: () => ({
      out: {
        type,
        values: Float64Array.from(x.numbers, (v) => rounded(type, unaryReference(operation, v))),
      },
    }),
    tolerance: { absolute, relative: type === "f16" ? 1.1e-3 : 1e-5 },
    ...(heavy === undefined ? {} : { heavy }),
  };
}

// Both signs, zero, and an end that is no multiple of a workgroup.
const small = ramp(37 * 41, 101, 50, 12.5);
const positive = ramp(130, 101, -1, 8);
const halves = ramp(64, 64, 32, 2);
const saturating = ramp(64, 64, 32, 0.25);
// Ends at ±512: past many turns of sin and cos.
const wide = ramp(64, 64, 32, 0.0625);

/** Shapes of ExecuTorch's own suites, then past them. */
export const elementwiseUnarySuite = defineSuite("elementwise_unary", [
  unaryCase("(37)", { op: "sigmoid" }, ramp(37, 17, 8, 4)),
  unaryCase("(37,41)", { op: "sigmoid" }, small),
  unaryCase("(7,11,11,41)", { op: "sigmoid" }, ramp(7 * 11 * 11 * 41, 101, 50, 12.5)),
  unaryCase("saturation", { op: "sigmoid" }, saturating),
  unaryCase("wide saturation", { op: "sigmoid" }, wide),
  ...(
    ["silu", "relu", "tanh", "exp", "abs", "neg", "gelu_erf", "gelu_tanh", "hardswish"] as const
  ).map((op) => unaryCase("(37,41)", { op }, small)),
  ...(["silu", "tanh", "gelu_erf", "gelu_tanh"] as const).map((op) =>
    unaryCase("saturation", { op }, wide),
  ),
  unaryCase("positive", { op: "sqrt" }, positive),
  unaryCase("positive", { op: "rsqrt" }, positive),
  unaryCase("halves", { op: "round" }, halves),
  unaryCase("(37,41)", { op: "sin" }, small),
  unaryCase("(37,41)", { op: "cos" }, small),
  unaryCase("many turns", { op: "sin" }, wide),
  unaryCase("many turns", { op: "cos" }, wide),
  unaryCase("both bounds", { op: "clamp", min: -0.5, max: 1.25 }, small),
  unaryCase("one bound", { op: "clamp", max: 0.5 }, small),
  unaryCase("square", { op: "pow_scalar", exponent: 2 }, small, { absolute: 1e-5 }),
  unaryCase("cube", { op: "pow_scalar", exponent: 3 }, small, { absolute: 1e-4 }),
  unaryCase("root", { op: "pow_scalar", exponent: 0.5 }, small),
  unaryCase("slope", { op: "leaky_relu", slope: 0.01 }, small),
  unaryCase("slope and offset", { op: "affine", slope: -2.5, offset: 0.75 }, small),
  unaryCase("odd", { op: "silu" }, ramp(101, 17, 8, 4), { type: "f16" }),
  unaryCase("odd", { op: "gelu_tanh" }, ramp(101, 17, 8, 4), { type: "f16" }),
  unaryCase("beyond the range", { op: "exp" }, ramp(31, 31, 15, 1), { type: "f16" }),
  unaryCase("odd", { op: "abs" }, small, { type: "i32" }),
  unaryCase("open above", { op: "clamp", min: -3 }, small, { type: "i32" }),
  unaryCase("past 65535 workgroups", { op: "gelu_tanh" }, ramp(16_776_961, 101, 50, 12.5), {
    heavy: "134 MB of operands",
  }),
]);
