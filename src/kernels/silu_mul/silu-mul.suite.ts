import { f16ToF32, f32ToF16 } from "../../quant/f16.ts";
import { ramp, randomValues } from "../testing/data.ts";
import { defineSuite } from "../testing/suite.ts";
import type { KernelCase } from "../testing/suite.ts";
import { siluMul } from "./silu-mul.ts";
import { siluMulReference } from "./silu-mul.reference.ts";

function siluMulCase(
  name: string,
  gate: Float32Array<ArrayBuffer>,
  type: "f32" | "f16" = "f32",
  wholeQuads = false,
): KernelCase<{ readonly count: number }> {
  const count = gate.length;
  const up = ramp(count, 13, 6, 8);
  const gateBits = f32ToF16(gate);
  const upBits = f32ToF16(up);
  const half = type === "f16";
  return {
    name: `${name} ${type}${wholeQuads ? " quads" : ""}`,
    route: (capabilities) => siluMul({ type, wholeQuads }, capabilities),
    expectRoute: () => "silu_mul",
    live: { count },
    operands: () => ({
      gate: half ? gateBits : gate,
      up: half ? upBits : up,
      out: { bytes: (half ? 2 : 4) * count },
    }),
    expected: () => ({
      out: { type, values: siluMulReference(half ? f16ToF32(gateBits) : gate, up) },
    }),
    // exp is good to 3 + 2|x| ulps, f16 has 11 bits.
    tolerance: half ? { absolute: 1e-6, relative: 1.1e-3 } : { absolute: 1e-6, relative: 1e-5 },
  };
}

export const siluMulSuite = defineSuite("silu_mul", [
  siluMulCase("one", Float32Array.of(0.5)),
  siluMulCase("ramp 130", ramp(130, 17, 8, 2)),
  siluMulCase("random 8192", randomValues(8192, 3)),
  siluMulCase("four", randomValues(4, 5), "f32", true),
  siluMulCase("random 1028", randomValues(1028, 6), "f32", true),
  siluMulCase("saturated", ramp(100, 101, 50, 0.25), "f32", true),
  siluMulCase("saturated", ramp(101, 101, 50, 0.25)),
  siluMulCase("random 1001", randomValues(1001, 4), "f16"),
]);
