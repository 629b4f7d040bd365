import type { Capabilities } from "../../gpu/capabilities.ts";
import { foldWorkgroupCount } from "../../gpu/dispatch-grid.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { Route } from "../../gpu/kernel.ts";
import { elementConstant, elementStoreParts } from "../shared/element-type.ts";
import workgroupSum from "../shared/workgroup-sum.wgsl";
import source from "./layer-norm.wgsl";

/** What is fixed about `aten.native_layer_norm`. */
export interface LayerNormShape {
  /** Of x, weight, bias and out. f16 is computed in f32. */
  readonly type: "f32" | "f16";
  /** Length of the normalised dimensions together. */
  readonly width: number;
  readonly epsilon: number;
  readonly hasWeight: boolean;
  readonly hasBias: boolean;
}

/** Lanes a row; a wider row gives each lane more columns. */
const WORKGROUP_SIZE = 64;

/**
 * `aten.native_layer_norm`: operands x [rows, width], weight and bias [width] where there are any,
 * out [rows, width], mean and rstd [rows], which are f32 for any type, as ATen has them on GPUs
 * (Ba et al., 2016).
 */
export function layerNorm(
  { type, width, epsilon, hasWeight, hasBias }: LayerNormShape,
  capabilities: Capabilities,
): Route<{ readonly rows: number }> {
  const kernel = defineKernel({
    label: `layer_norm_${type}`,
    parts: [...elementStoreParts(type), workgroupSum, source],
    constants: { ELEMENT: elementConstant(type), HAS_WEIGHT: hasWeight, HAS_BIAS: hasBias },
    overrides: { WORKGROUP_SIZE },
  });
  return {
    name: "layer_norm",
    scratch: {},
    dispatches: [
      {
        kernel,
        bind: {
          out: "out",
          mean: "mean",
          rstd: "rstd",
          x: "x",
          weight: hasWeight ? "weight" : "x",
          bias: hasBias ? "bias" : "x",
        },
        params: ({ rows }) => ({ rows, width, epsilon }),
        grid: ({ rows }) => foldWorkgroupCount(rows, capabilities),
      },
    ],
  };
}
