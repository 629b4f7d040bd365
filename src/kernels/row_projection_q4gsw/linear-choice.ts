import { UnsupportedError } from "../../errors.ts";
import type { Capabilities } from "../../gpu/capabilities.ts";
import type { DispatchTemplate, Route } from "../../gpu/kernel.ts";
import { productWork } from "../../gpu/work.ts";
import {
  greedyFinal,
  HISTOGRAM_WORDS,
  MAX_VOCABULARY_SIZE,
  sampledFinal,
} from "../sample/sample.ts";
import type { SamplerLive, SamplerShape } from "../sample/sample.ts";
import settings from "../sample/sampler-settings.wgsl";
import orderKey from "../shared/order-key.wgsl";
import type { Candidate, Tunable } from "../shared/tunable.ts";
import workgroupBest from "../shared/workgroup-best.wgsl";
import { mostLanes } from "../shared/workgroup-lanes.ts";
import choiceGreedy from "./choice-greedy.wgsl";
import choiceSampled from "./choice-sampled.wgsl";
import { rowTunable } from "./fused-projection.ts";
import type { Projection } from "./fused-projection.ts";
import linearChoiceSource from "./linear-choice.wgsl";
import linearMatrixSource from "./linear-matrix.wgsl";
import { isFused } from "./row-input.ts";
import type { NothingLive, RowProjectionShape } from "./row-input.ts";

/**
 * Workgroups of the projection, each with a best token of its own for later dispatches to read: about
 * what a large GPU runs at once. A device may choose another number.
 */
const WORKGROUPS = [4096, 8192, 2048, 16_384] as const;

const MOST_FINAL_LANES = 1024;

/** Storage buffers that the projection binds where it keeps the keys. */
const SAMPLED_BINDINGS = 9;

/** Lanes of the one workgroup that joins the workgroups' tokens. */
const finalLanes = (capabilities: Capabilities): number =>
  Math.min(MOST_FINAL_LANES, mostLanes(capabilities));

/** `norm_linear_choice_q4gsw`: a projection to a vocabulary of N tokens, and the choice of one. */
export interface NormLinearChoiceShape
  extends RowProjectionShape, Pick<SamplerShape, "mode" | "historyLength"> {
  readonly N: number;
}

/** What changes from run to run: bits of the filters that settings may have on, as `filtersOf` makes them. */
export type ChoiceLive = Pick<SamplerLive, "filters">;

/** Whether {@link normLinearChoiceTunable} serves the shape on this device. */
export function fusesChoice(
  shape: Pick<NormLinearChoiceShape, "K" | "groupSize" | "N" | "mode">,
  capabilities: Capabilities,
): boolean {
  if (!isFused(shape, capabilities)) return false;
  const { maxStorageBuffersPerShaderStage } = capabilities.limits;
  return (
    shape.mode === "greedy" ||
    (shape.N <= MAX_VOCABULARY_SIZE && maxStorageBuffersPerShaderStage >= SAMPLED_BINDINGS)
  );
}

/** What the projection binds beside the row, by mode. */
const BIND = {
  greedy: {},
  sampled: { keys: "weights", histograms: "histograms" },
} as const;

/**
 * The routes for logits and the choice among them: `norm_linear_q4gsw`, which also finds the best token of each
 * workgroup and, where one is sampled, every token's key; then what is left of `sampler` in a step of one token:
 * one dispatch if it is greedy. Operands of both: x f32 [K] or limbs, norm f32 [K], weight, scales, out f32 [N];
 * sampling, seen, input_pos, token, history. Throws `UnsupportedError` unless {@link fusesChoice}.
 */
export function normLinearChoiceTunable(
  shape: NormLinearChoiceShape,
  capabilities: Capabilities,
): Tunable<ChoiceLive> {
  const { K, N, groupSize, mode } = shape;
  const unsupported = () => {
    throw new UnsupportedError(
      `norm_linear_choice_q4gsw: K ${K}, groups of ${groupSize}, ${N} tokens, ${mode}; supported: ` +
        `multiples of 32, devices with subgroups, to sample up to ${MAX_VOCABULARY_SIZE} tokens ` +
        `and ${SAMPLED_BINDINGS} storage buffers`,
    );
  };
  if (!fusesChoice(shape, capabilities)) unsupported();
  const operands = ["out", "weight", "scales", "best", "sampling", "seen"];
  const projection: Projection = {
    name: `linear_${mode}`,
    parts: [
      orderKey,
      workgroupBest,
      settings,
      linearMatrixSource,
      mode === "greedy" ? choiceGreedy : choiceSampled,
      linearChoiceSource,
    ],
    rows: [N],
    outputs: 4,
    bind: { ...Object.fromEntries(operands.map((name) => [name, name])), ...BIND[mode] },
    // The choice among few workgroups' tokens is short.
    constants: { STRIDES: true, ...(mode === "greedy" ? {} : { HISTOGRAM_WORDS }) },
    params: { N, out_offset: 0 },
    work: productWork(1, N, K),
  };
  const made = rowTunable(shape, projection, unsupported, capabilities);
  const [first, ...others] = made.candidates
    .filter(({ name }) => name !== "separate")
    .flatMap((candidate) => choices(candidate, shape, capabilities));
  if (first === undefined) return unsupported();
  return {
    ...made,
    candidates: [first, ...others],
    trials: [{ live: { filters: 0 } }],
    // Which of two nearly equal logits is the larger may differ.
    undetermined: ["token", "seen", "history"],
  };
}

/** The projection of `candidate` with the choice after it. */
function choices(
  { name, route, ...candidate }: Candidate<NothingLive>,
  shape: NormLinearChoiceShape,
  capabilities: Capabilities,
): Candidate<ChoiceLive>[] {
  // The sampler's steps are compiled for their number: measuring others would take long.
  const counts = shape.mode === "greedy" ? WORKGROUPS : WORKGROUPS.slice(0, 1);
  return counts.map((workgroups) => ({
    ...candidate,
    name: `${name}/workgroups${workgroups}`,
    route: () => withChoice(route(), workgroups, shape, capabilities),
  }));
}

function withChoice(
  { name, scratch, dispatches }: Route<NothingLive>,
  workgroups: number,
  { mode, N, historyLength }: NormLinearChoiceShape,
  capabilities: Capabilities,
): Route<ChoiceLive> {
  const before = dispatches.slice(0, -1);
  const [projection] = dispatches.slice(-1);
  if (projection === undefined) throw new Error(`${name}: no projection`);
  const parts = Math.min(workgroups, projection.grid({})[0]);
  const end =
    mode === "greedy"
      ? {
          scratch: { best: 8 * parts },
          dispatches: [greedyFinal(parts, historyLength, finalLanes(capabilities))],
        }
      : sampledFinal({ vocabularySize: N, historyLength }, parts, capabilities);
  return {
    name,
    scratch: { ...scratch, ...end.scratch },
    dispatches: [
      ...before,
      { ...projection, grid: () => [parts, 1, 1] },
      ...end.dispatches.map(ofOneToken),
    ],
  };
}

/** A dispatch of the sampler after a step of one token. */
function ofOneToken({
  params,
  grid,
  work,
  ...dispatch
}: DispatchTemplate<SamplerLive>): DispatchTemplate<ChoiceLive> {
  const live = ({ filters }: ChoiceLive): SamplerLive => ({ S: 1, filters });
  return {
    ...dispatch,
    params: (values) => params(live(values)),
    grid: (values) => grid(live(values)),
    ...(work === undefined ? {} : { work: (values) => work(live(values)) }),
  };
}
