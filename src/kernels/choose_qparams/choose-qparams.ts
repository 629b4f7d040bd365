import type { Capabilities } from "../../gpu/capabilities.ts";
import { divideCeil, foldWorkgroupCount } from "../../gpu/dispatch-grid.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { Route } from "../../gpu/kernel.ts";
import roundHalfEven from "../shared/round-half-even.wgsl";
import workgroupMax from "../shared/workgroup-max.wgsl";
import workgroupSum from "../shared/workgroup-sum.wgsl";
import source from "./choose-qparams.wgsl";

/** What is fixed about `torchao.choose_qparams_affine` with one block a row. */
export interface ChooseQparamsShape {
  readonly width: number;
  /** Least and greatest quantised value; −128 and 127 if absent. */
  readonly quantMin?: number;
  readonly quantMax?: number;
}

const WORKGROUP_SIZE = 64;

/**
 * `torchao.choose_qparams_affine`, asymmetric, a row at a time: operands x f32 [rows, width], scale f32
 * [rows], zero_point i8 [rows], both written. A row of zeros has scale 0.1; no scale is below 6.1e-5.
 */
export function chooseQparams(
  { width, quantMin = -128, quantMax = 127 }: ChooseQparamsShape,
  capabilities: Capabilities,
): Route<{ readonly rows: number }> {
  const kernel = defineKernel({
    label: "choose_qparams",
    parts: [workgroupSum, workgroupMax, roundHalfEven, source],
    overrides: { WORKGROUP_SIZE },
  });
  return {
    name: "choose_qparams",
    scratch: {},
    dispatches: [
      {
        kernel,
        bind: { scale: "scale", zero_point: "zero_point", x: "x" },
        params: ({ rows }) => ({ rows, width, quant_min: quantMin, quant_max: quantMax }),
        grid: ({ rows }) => foldWorkgroupCount(divideCeil(rows, 4), capabilities),
      },
    ],
  };
}
