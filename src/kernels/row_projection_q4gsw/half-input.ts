import type { Capabilities } from "../../gpu/capabilities.ts";
import { clampWorkgroupCount, divideCeil } from "../../gpu/dispatch-grid.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import inputHalves from "./input-halves.wgsl";
import type { RowInput, RowProjectionShape } from "./row-input.ts";
import writeHalvesSource from "./write-halves.wgsl";

/** Lanes a workgroup that writes halves, eight values each. */
const LANES = 64;
/** Bytes of 32 values, with what a group has once. */
const GROUP_BYTES = 80;

/** x in half precision, scaled by groups; with a norm but for its factor. Needs subgroups. */
export function halfInput({ K, norm }: RowProjectionShape, capabilities: Capabilities): RowInput {
  const lanes = Math.max(LANES, capabilities.subgroups?.maxSize ?? 0);
  const kernel = defineKernel({
    label: norm === undefined ? "write_halves" : "rms_norm_halves",
    parts: [writeHalvesSource],
    constants: { NORM: norm !== undefined },
    overrides: { WORKGROUP_SIZE: lanes },
  });
  const workgroups = clampWorkgroupCount(divideCeil(K / 8, lanes), capabilities);
  return {
    name: "f16",
    parts: [inputHalves],
    operand: "halves",
    scratch: { halves: (K / 32) * GROUP_BYTES },
    lacksFactor: norm !== undefined,
    dispatches: [
      {
        kernel,
        bind: { halves: "halves", x: "x", weight: norm === undefined ? "x" : "norm" },
        params: () => ({ width: K }),
        grid: () => [workgroups, 1, 1],
      },
    ],
  };
}
