import { f16ToF32, f32ToF16 } from "../../quant/f16.ts";
import { ramp, randomValues } from "../testing/data.ts";
import { defineSuite } from "../testing/suite.ts";
import type { KernelCase } from "../testing/suite.ts";
import { contiguousStrides, elementCount } from "../shared/strided-dims.ts";
import { elementwiseBinary } from "./elementwise-binary.ts";
import type {
  BinaryOp,
  BroadcastLive,
  ElementwiseBinaryShape,
  SameShapeLive,
} from "./elementwise-binary.ts";
import { binaryReference, binaryReferenceStrided } from "./elementwise-binary.reference.ts";

type Type = ElementwiseBinaryShape["type"];

/** Input values of a type, as stored and as numbers. */
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

// Sums and products of one operation are exact to an ulp; WGSL's division to 2.5, its pow is only as
// good as exp2 and log2; f16 rounds to 11 bits, either way.
function toleranceOf(op: BinaryOp, type: Type) {
  if (type === "f16") return { absolute: 1e-7, relative: 1.1e-3 };
  if (op === "pow") return { absolute: 1e-5, relative: 1e-4 };
  return { absolute: 1e-7, relative: 4e-7 };
}

const BYTES = { f32: 4, f16: 2, i32: 4 };

interface CaseOptions {
  readonly a?: Float32Array<ArrayBuffer>;
  readonly b?: Float32Array<ArrayBuffer>;
  readonly alpha?: number;
  readonly type?: Type;
  readonly heavy?: string;
}

function sameShape(
  op: BinaryOp,
  count: number,
  options: CaseOptions = {},
): KernelCase<SameShapeLive> {
  const { type = "f32", alpha, heavy } = options;
  const a = stored(type, options.a ?? ramp(count, 17, 8, 16));
  const b = stored(type, options.b ?? ramp(count, 13, 6, 8));
  return {
    name: `${op} ${type} ${count}${alpha === undefined ? "" : ` alpha ${alpha}`}`,
    route: (capabilities) =>
      elementwiseBinary(
        { op, type, broadcast: false, ...(alpha === undefined ? {} : { alpha }) },
        capabilities,
      ),
    expectRoute: () => "elementwise_binary",
    live: { count },
    operands: () => ({ a: a.bytes, b: b.bytes, out: { bytes: BYTES[type] * count } }),
    expected: () => ({
      out: {
        type,
        values: Float64Array.from({ length: count }, (_, i) =>
          binaryReference(op, a.numbers[i]!, b.numbers[i]!, alpha),
        ),
      },
    }),
    tolerance: toleranceOf(op, type),
    ...(heavy === undefined ? {} : { heavy }),
  };
}

/** Strides of an operand of `dims` read as `outDims`, right-aligned as in NumPy. */
function broadcastStrides(dims: readonly number[], outDims: readonly number[]): number[] {
  const strides = contiguousStrides(dims);
  return outDims.map((_, d) => {
    const own = d - outDims.length + dims.length;
    return own < 0 || dims[own] === 1 ? 0 : strides[own]!;
  });
}

function broadcast(
  op: BinaryOp,
  aDims: readonly number[],
  bDims: readonly number[],
  type: Type = "f32",
): KernelCase<BroadcastLive> {
  const rank = Math.max(aDims.length, bDims.length);
  const dims = Array.from({ length: rank }, (_, d) =>
    Math.max(aDims[d - rank + aDims.length] ?? 1, bDims[d - rank + bDims.length] ?? 1),
  );
  const aStrides = broadcastStrides(aDims, dims);
  const bStrides = broadcastStrides(bDims, dims);
  const a = stored(type, ramp(elementCount(aDims), 17, 8, 16));
  const b = stored(type, ramp(elementCount(bDims), 13, 6, 8));
  return {
    name: `${op} ${type} (${aDims.join(",")}) x (${bDims.join(",")})`,
    route: (capabilities) => elementwiseBinary({ op, type, broadcast: true }, capabilities),
    expectRoute: () => "elementwise_binary_broadcast",
    live: { dims, aStrides, bStrides },
    operands: () => ({
      a: a.bytes,
      b: b.bytes,
      out: { bytes: BYTES[type] * elementCount(dims) },
    }),
    expected: () => ({
      out: {
        type,
        values: binaryReferenceStrided(op, a.numbers, b.numbers, dims, aStrides, bStrides),
      },
    }),
    tolerance: toleranceOf(op, type),
  };
}

const positive = (count: number) => ramp(count, 17, -1, 8);
const nonZero = (count: number) =>
  ramp(count, 13, 6, 8).map((value) => (value === 0 ? 0.5 : value));

/** Bases of either sign and zero, integer exponents and one that is not. */
const POW_BASES = Float32Array.of(-2, -2, -1.5, 0, 3, 0.25, 10, -0.5, 7, -7);
const POW_EXPONENTS = Float32Array.of(3, 2, 0.5, 2, 0, -0.5, 3, -1, 1, 4);
/** Quotients that are integers, where a division that is off by an ulp would show. */
const FLOOR_COUNT = 2000;
const floorDivisors = Float32Array.from(
  { length: FLOOR_COUNT },
  (_, i) => ((i % 41) + 1) * (i % 2 === 0 ? 1 : -1),
);
const floorDividends = floorDivisors.map((divisor, i) => divisor * ((i % 301) - 150));

/** Shapes of ExecuTorch's own suite, then past them. */
export const elementwiseBinarySuite = defineSuite("elementwise_binary", [
  sameShape("add", 37 * 41),
  sameShape("add", 5 * 7 * 11, { alpha: 2.5 }),
  sameShape("add", 3 * 5 * 7 * 11, { alpha: -1 }),
  sameShape("add", 1),
  sameShape("sub", 37 * 41),
  sameShape("sub", 100, { alpha: 0.25 }),
  sameShape("mul", 8 * 32),
  sameShape("div", 130, { b: nonZero(130) }),
  sameShape("minimum", 131),
  sameShape("pow", 200, { a: positive(200) }),
  sameShape("pow", 10, { a: POW_BASES, b: POW_EXPONENTS }),
  sameShape("div_floor", FLOOR_COUNT, { a: floorDividends, b: floorDivisors }),
  sameShape("div_floor", 500, { a: randomValues(500, 1), b: randomValues(500, 2) }),
  sameShape("add", 101, { type: "f16" }),
  sameShape("mul", 4096, { type: "f16" }),
  sameShape("add", 99, { type: "i32", alpha: 3 }),
  sameShape("mul", 99, { type: "i32" }),
  sameShape("minimum", 99, { type: "i32" }),
  sameShape("div_floor", 99, { type: "i32", b: nonZero(99) }),
  // 4 × 64 × 65535 + 1: the first size whose workgroups need a second dimension.
  sameShape("add", 16_776_961, { heavy: "200 MB of operands" }),
  broadcast("mul", [1, 1, 7, 896], [1, 1, 7, 1]),
  broadcast("mul", [4, 4], [1, 4]),
  broadcast("mul", [3, 5, 7, 11], [1, 5, 1, 11]),
  broadcast("mul", [4], [3, 4]),
  broadcast("add", [2, 1, 3, 1, 2, 1, 3, 1], [1, 3, 1, 2, 1, 2, 1, 3]),
  broadcast("sub", [1], [5, 6, 7]),
  broadcast("add", [3, 5, 7], [5, 1], "f16"),
  broadcast("mul", [3, 5], [3, 1], "i32"),
]);
