import { UnsupportedError } from "../../errors.ts";
import type { Capabilities } from "../../gpu/capabilities.ts";
import type { Route } from "../../gpu/kernel.ts";
import { productWork } from "../../gpu/work.ts";
import { greedyFinal } from "../sample/sample.ts";
import settings from "../sample/sampler-settings.wgsl";
import orderKey from "../shared/order-key.wgsl";
import type { Candidate, Tunable } from "../shared/tunable.ts";
import workgroupBest from "../shared/workgroup-best.wgsl";
import { mostLanes } from "../shared/workgroup-lanes.ts";
import { rowTunable } from "./fused-projection.ts";
import type { Projection } from "./fused-projection.ts";
import linearGreedySource from "./linear-greedy.wgsl";
import linearMatrixSource from "./linear-matrix.wgsl";
import { isFused, renamed } from "./row-input.ts";
import type { NothingLive, RowProjectionShape } from "./row-input.ts";

/**
 * Workgroups of the projection, each with a best token of its own for the last dispatch to read: about
 * what a large GPU runs at once. A device may choose another number.
 */
const WORKGROUPS = [4096, 8192, 2048, 16_384] as const;

const MOST_FINAL_LANES = 1024;

/** Lanes of the one workgroup that joins the workgroups' tokens. */
const finalLanes = (capabilities: Capabilities): number =>
  Math.min(MOST_FINAL_LANES, mostLanes(capabilities));

/** `norm_linear_greedy_q4gsw`: a projection to a vocabulary of N tokens. */
export interface NormLinearGreedyShape extends RowProjectionShape {
  readonly N: number;
  /** Tokens the history holds. */
  readonly historyLength: number;
}

/** Whether {@link normLinearGreedyTunable} serves the shape on this device. */
export const fusesGreedy = isFused;

/**
 * The routes for logits and the greedy choice among them: `norm_linear_q4gsw`, which also finds the best
 * token of each workgroup, then one dispatch that joins those and does the rest of what `sampler` does in
 * a step of one token. Operands of both: x f32 [K] or limbs, norm f32 [K], weight, scales, out f32 [N];
 * sampling, seen, input_pos, token, history. Throws `UnsupportedError` unless {@link fusesGreedy}.
 */
export function normLinearGreedyTunable(
  shape: NormLinearGreedyShape,
  capabilities: Capabilities,
): Tunable<NothingLive> {
  const { K, N, groupSize, historyLength } = shape;
  const unsupported = () => {
    throw new UnsupportedError(
      `norm_linear_greedy_q4gsw: K ${K}, groups of ${groupSize}; supported: multiples of 32, ` +
        `devices with subgroups`,
    );
  };
  if (!fusesGreedy(shape, capabilities)) unsupported();
  const operands = ["out", "weight", "scales", "best", "sampling", "seen"];
  const projection: Projection = {
    name: "linear_greedy",
    parts: [orderKey, workgroupBest, settings, linearMatrixSource, linearGreedySource],
    rows: [N],
    outputs: 4,
    bind: Object.fromEntries(operands.map((name) => [name, name])),
    // The choice among few workgroups' tokens is short.
    constants: { STRIDES: true },
    params: { N, out_offset: 0 },
    work: productWork(1, N, K),
  };
  const made = rowTunable(shape, projection, unsupported, capabilities);
  const [first, ...others] = made.candidates
    .filter(({ name }) => name !== "separate")
    .flatMap((candidate) => choices(candidate, historyLength, capabilities));
  if (first === undefined) return unsupported();
  return {
    ...made,
    candidates: [first, ...others],
    // Which of two nearly equal logits is the larger may differ.
    undetermined: ["token", "seen", "history"],
  };
}

/** The projection of `candidate` with the choice after it. */
function choices(
  { name, route, ...candidate }: Candidate<NothingLive>,
  historyLength: number,
  capabilities: Capabilities,
): Candidate<NothingLive>[] {
  return WORKGROUPS.map((workgroups) => ({
    ...candidate,
    name: `${name}/workgroups${workgroups}`,
    route: () => withChoice(route(), workgroups, historyLength, capabilities),
  }));
}

function withChoice(
  { name, scratch, dispatches }: Route<NothingLive>,
  workgroups: number,
  historyLength: number,
  capabilities: Capabilities,
): Route<NothingLive> {
  const before = dispatches.slice(0, -1);
  const [projection] = dispatches.slice(-1);
  if (projection === undefined) throw new Error(`${name}: no projection`);
  const parts = Math.min(workgroups, projection.grid({})[0]);
  const final = greedyFinal(parts, historyLength, finalLanes(capabilities));
  return {
    name,
    scratch: { ...scratch, best: 8 * parts },
    dispatches: [
      ...before,
      { ...projection, grid: () => [parts, 1, 1] },
      ...renamed({ name, scratch: {}, dispatches: [final] }, { S: 1, filters: 0 }, {}),
    ],
  };
}
