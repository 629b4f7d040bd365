import type { Capabilities } from "../../gpu/capabilities.ts";
import { foldWorkgroupCount, NO_WORKGROUPS } from "../../gpu/dispatch-grid.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { DispatchTemplate, Route } from "../../gpu/kernel.ts";
import { areHalves } from "../shared/halves.ts";
import octetHalves from "../shared/octet-halves.wgsl";
import workgroupSum from "../shared/workgroup-sum.wgsl";
import halvesSource from "./rms-norm-halves.wgsl";
import quadsSource from "./rms-norm-quads.wgsl";
import source from "./rms-norm.wgsl";
import rowQuads from "./rms-row-quads.wgsl";

/** What is fixed about a call of `et_vk.rms_norm`. */
export interface RmsNormShape {
  /** Length of the normalised dimension. */
  readonly width: number;
  readonly epsilon: number;
}

type Live = { readonly rows: number };

/** Lanes a row; a wider row gives each lane more columns. */
const WORKGROUP_SIZE = 64;
/** Wide rows of quads have more, where lanes run at once. */
const WIDE_WORKGROUP_SIZE = 256;
const WIDE_QUADS = 256;

const bind = { out: "out", x: "x", weight: "weight" };

/**
 * `et_vk.rms_norm`: operands x [rows, width], weight [width], out [rows, width], all f32.
 * Root mean square layer normalisation (Zhang and Sennrich, 2019).
 */
export function rmsNorm(shape: RmsNormShape, capabilities: Capabilities): Route<Live> {
  const dispatch =
    shape.width % 4 === 0 ? quadsDispatch(shape, capabilities) : plainDispatch(shape, capabilities);
  return { name: "rms_norm", scratch: {}, dispatches: [dispatch] };
}

/** `rmsNorm` of rows of a multiple of 8 whose out is halves: see shared/halves.ts. */
export function rmsNormHalves(shape: RmsNormShape, capabilities: Capabilities): Route<Live> {
  const few = quadsDispatch(shape, capabilities);
  const many = {
    ...few,
    kernel: defineKernel({
      label: "rms_norm_halves",
      parts: [workgroupSum, rowQuads, octetHalves, halvesSource],
      overrides: few.kernel.overrides,
    }),
  };
  const when = (halves: boolean, dispatch: DispatchTemplate<Live>): DispatchTemplate<Live> => ({
    ...dispatch,
    grid: (live) => (areHalves(live.rows) === halves ? dispatch.grid(live) : NO_WORKGROUPS),
  });
  return {
    name: "rms_norm_halves",
    scratch: {},
    dispatches: [when(false, few), when(true, many)],
  };
}

function plainDispatch(
  { width, epsilon }: RmsNormShape,
  capabilities: Capabilities,
): DispatchTemplate<Live> {
  return {
    kernel: defineKernel({
      label: "rms_norm",
      parts: [workgroupSum, source],
      overrides: { WORKGROUP_SIZE },
    }),
    bind,
    params: ({ rows }) => ({ rows, width, epsilon }),
    grid: ({ rows }) => foldWorkgroupCount(rows, capabilities),
  };
}

function quadsDispatch(
  { width, epsilon }: RmsNormShape,
  capabilities: Capabilities,
): DispatchTemplate<Live> {
  const wide = width / 4 >= WIDE_QUADS && !capabilities.software;
  return {
    kernel: defineKernel({
      label: "rms_norm_quads",
      parts: [workgroupSum, rowQuads, quadsSource],
      overrides: { WORKGROUP_SIZE: wide ? wideWorkgroup(capabilities) : WORKGROUP_SIZE },
    }),
    bind,
    params: ({ rows }) => ({ rows, quads: width / 4, epsilon }),
    grid: ({ rows }) => foldWorkgroupCount(rows, capabilities),
  };
}

const wideWorkgroup = ({ limits }: Capabilities): number =>
  limits.maxComputeInvocationsPerWorkgroup >= WIDE_WORKGROUP_SIZE &&
  limits.maxComputeWorkgroupSizeX >= WIDE_WORKGROUP_SIZE
    ? WIDE_WORKGROUP_SIZE
    : WORKGROUP_SIZE;
