import type { Capabilities } from "../../gpu/capabilities.ts";
import { foldWorkgroupCount } from "../../gpu/dispatch-grid.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { Route } from "../../gpu/kernel.ts";
import workgroupSum from "../shared/workgroup-sum.wgsl";
import source from "./layer-norm.wgsl";

/** What is fixed about `aten.native_layer_norm`. */
export interface LayerNormShape {
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
 * out [rows, width], mean and rstd [rows], all f32 (Ba et al., 2016).
 */
export function layerNorm(
  { width, epsilon, hasWeight, hasBias }: LayerNormShape,
  capabilities: Capabilities,
): Route<{ readonly rows: number }> {
  const kernel = defineKernel({
    label: "layer_norm",
    parts: [workgroupSum, source],
    constants: { HAS_WEIGHT: hasWeight, HAS_BIAS: hasBias },
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
