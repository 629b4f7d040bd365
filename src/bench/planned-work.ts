/** What a decoder's plans have to do, told without running them. */
import type { SamplingOptions } from "../api.ts";
import { samplerMode } from "../generate/decoder-plans.ts";
import type { DecoderSession } from "../generate/decoder-session.ts";
import type { Work } from "../gpu/work.ts";
import type { Plan } from "../graph/plan.ts";
import { filtersOf } from "../graph/sampling.ts";
import { SymIntValues } from "../graph/symint.ts";
import { limitOf } from "./roofline.ts";
import type { Bound, Ceilings } from "./roofline.ts";

/** Of a step, or of a whole prompt. */
export interface PlannedWork {
  readonly dispatches: number;
  readonly bytes: number;
  readonly operations: number;
  /** The least time that the device's ceilings allow: dispatch after dispatch. */
  readonly limitMs: number;
  /** What most of that time is due to. */
  readonly bound: Bound;
}

/** A decoder's plans, and the integers they are run with. */
type Planned = Pick<DecoderSession, "decoder" | "plans">;

function workOfRun(
  { decoder, plans }: Planned,
  plan: Plan,
  position: number,
  tokens: number,
  sampling: SamplingOptions = {},
): Work[] {
  const values = new SymIntValues();
  values.set(plans.state.filters, filtersOf(sampling));
  values.set(decoder.position, position);
  values.set(decoder.sequenceLength, tokens);
  return plan.dispatches
    .filter(({ grid, live }) => !grid(live(values)).includes(0))
    .map((dispatch) => dispatch.work(values));
}

function summed(work: readonly Work[], ceilings: Ceilings): PlannedWork {
  const bounds = new Map<Bound, number>();
  for (const dispatch of work) {
    const { ns, bound } = limitOf(dispatch, ceilings);
    bounds.set(bound, (bounds.get(bound) ?? 0) + ns);
  }
  const limitNs = [...bounds.values()].reduce((sum, ns) => sum + ns, 0);
  return {
    dispatches: work.length,
    bytes: work.reduce((sum, { bytes }) => sum + bytes, 0),
    operations: work.reduce((sum, { operations }) => sum + operations, 0),
    limitMs: limitNs / 1e6,
    bound: [...bounds].reduce((a, b) => (b[1] > a[1] ? b : a))[0],
  };
}

/** A step at a position. */
export function stepWork(
  planned: Planned,
  position: number,
  sampling: SamplingOptions,
  ceilings: Ceilings,
): PlannedWork {
  const plan = planned.plans.step[samplerMode(sampling)];
  return summed(workOfRun(planned, plan, position, 1, sampling), ceilings);
}

/** A prompt from an empty cache to its greedy token, in the chunks that a session makes of it. */
export function promptWork(planned: Planned, tokens: number, ceilings: Ceilings): PlannedWork {
  const { decoder, plans } = planned;
  const chunk = decoder.sequenceLength.max;
  const work: Work[] = [];
  let position = 0;
  for (; tokens - position > chunk; position += chunk) {
    work.push(...workOfRun(planned, plans.fill, position, chunk));
  }
  const rest = tokens - position;
  const last = rest === 1 ? plans.step.greedy : plans.prompt.greedy;
  work.push(...workOfRun(planned, last, position, rest));
  return summed(work, ceilings);
}
