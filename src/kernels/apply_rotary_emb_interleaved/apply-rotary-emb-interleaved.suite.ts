import { restrictCapabilities } from "../../gpu/capabilities.ts";
import { ramp } from "../testing/data.ts";
import { defineSuite } from "../testing/suite.ts";
import type { KernelCase } from "../testing/suite.ts";
import { applyRotaryEmbInterleavedReference } from "./apply-rotary-emb-interleaved.reference.ts";
import { applyRotaryEmbInterleaved } from "./apply-rotary-emb-interleaved.ts";
import type { RotaryInterleavedLive } from "./apply-rotary-emb-interleaved.ts";

/** Angles as models have them, row · 10000^(−2i / width), as (cos, sin) pairs. */
function factors(rows: number, width: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: rows * width }, (_, at) => {
    const column = at % width;
    const angle = Math.floor(at / width) * 10_000 ** (-(column - (column % 2)) / width);
    return column % 2 === 0 ? Math.cos(angle) : Math.sin(angle);
  });
}

function interleavedCase(
  batch: number,
  rows: number,
  width: number,
  maxWorkgroups = 65_535,
): KernelCase<RotaryInterleavedLive> {
  const x = ramp(batch * rows * width, 17, 8, 16);
  const freqs = factors(rows, width);
  const limits = { maxComputeWorkgroupsPerDimension: maxWorkgroups };
  return {
    name: `${batch}x${rows}x${width}${maxWorkgroups < 65_535 ? " folded grid" : ""}`,
    route: (capabilities) =>
      applyRotaryEmbInterleaved(restrictCapabilities(capabilities, { limits })),
    expectRoute: () => "apply_rotary_emb_interleaved",
    live: { batch, rows, width },
    operands: () => ({ x, freqs, out: { bytes: x.byteLength } }),
    expected: () => ({
      out: { type: "f32", values: applyRotaryEmbInterleavedReference(x, freqs) },
    }),
    tolerance: { absolute: 1e-6, relative: 1e-5 },
  };
}

export const rotaryInterleavedSuite = defineSuite("apply_rotary_emb_interleaved", [
  interleavedCase(1, 1, 2),
  interleavedCase(1, 5, 64),
  interleavedCase(3, 7, 10),
  interleavedCase(2, 33, 128),
  interleavedCase(2, 33, 128, 9),
]);
