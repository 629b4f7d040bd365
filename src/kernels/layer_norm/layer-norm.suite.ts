import { ramp } from "../testing/data.ts";
import { storeValues } from "../testing/stored-values.ts";
import { defineSuite } from "../testing/suite.ts";
import type { KernelCase } from "../testing/suite.ts";
import { layerNorm } from "./layer-norm.ts";
import type { LayerNormShape } from "./layer-norm.ts";
import { layerNormReference } from "./layer-norm.reference.ts";

interface LayerNormTest {
  readonly type?: LayerNormShape["type"];
  readonly rows: number;
  readonly width: number;
  readonly affine?: "both" | "weight" | "none";
  /** Added to x: a mean far from zero, where a variance as a difference would cancel. */
  readonly shift?: number;
}

/** f16 has 11 bits. */
const F16_TOLERANCE = { absolute: 1e-5, relative: 6e-4 };

function layerNormCase(test: LayerNormTest): KernelCase<{ readonly rows: number }> {
  const { type = "f32", rows, width, affine = "both", shift = 0 } = test;
  const epsilon = 1e-5;
  const x = storeValues(
    type,
    ramp(rows * width, 17, 8, 16).map((value) => value + shift),
  );
  const weight = affine === "none" ? undefined : storeValues(type, ramp(width, 13, 6, 8));
  const bias = affine === "both" ? storeValues(type, ramp(width, 7, 3, 4)) : undefined;
  return {
    name: `${type} ${rows}x${width} affine ${affine} shift ${shift}`,
    route: (capabilities) =>
      layerNorm(
        { type, width, epsilon, hasWeight: weight !== undefined, hasBias: bias !== undefined },
        capabilities,
      ),
    expectRoute: () => "layer_norm",
    live: { rows },
    operands: () => ({
      x: x.bytes,
      ...(weight === undefined ? {} : { weight: weight.bytes }),
      ...(bias === undefined ? {} : { bias: bias.bytes }),
      out: { bytes: x.bytes.byteLength },
      mean: { bytes: 4 * rows },
      rstd: { bytes: 4 * rows },
    }),
    expected: () => {
      const { out, mean, rstd } = layerNormReference(
        x.numbers,
        width,
        epsilon,
        weight?.numbers,
        bias?.numbers,
      );
      return {
        out: { type, values: out, ...(type === "f16" ? { tolerance: F16_TOLERANCE } : {}) },
        mean: { type: "f32", values: mean },
        rstd: { type: "f32", values: rstd },
      };
    },
    // The mean of a shifted row is only as good as f32 holds the sum.
    tolerance: { absolute: shift === 0 ? 1e-5 : 2e-4, relative: 1e-5 },
  };
}

/** Widths of ExecuTorch's own suite, then odd ones. */
export const layerNormSuite = defineSuite("layer_norm", [
  layerNormCase({ rows: 7, width: 128 }),
  layerNormCase({ rows: 3, width: 768 }),
  layerNormCase({ rows: 5, width: 128, affine: "none" }),
  layerNormCase({ rows: 4, width: 32, affine: "weight" }),
  layerNormCase({ rows: 2, width: 132 }),
  layerNormCase({ rows: 2, width: 1024 }),
  layerNormCase({ rows: 1, width: 1 }),
  layerNormCase({ rows: 300, width: 33 }),
  layerNormCase({ rows: 3, width: 256, shift: 100 }),
  layerNormCase({ type: "f16", rows: 7, width: 128 }),
  layerNormCase({ type: "f16", rows: 5, width: 128, affine: "none" }),
  layerNormCase({ type: "f16", rows: 4, width: 32, affine: "weight" }),
  // Two rows share a word.
  layerNormCase({ type: "f16", rows: 300, width: 33 }),
  layerNormCase({ type: "f16", rows: 3, width: 1 }),
]);
