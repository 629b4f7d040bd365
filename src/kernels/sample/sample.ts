import { UnsupportedError } from "../../errors.ts";
import type { Capabilities } from "../../gpu/capabilities.ts";
import { divideCeil, NO_WORKGROUPS } from "../../gpu/dispatch-grid.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { DispatchTemplate, Kernel, Route } from "../../gpu/kernel.ts";
import invocationIndex from "../shared/invocation-index.wgsl";
import orderKey from "../shared/order-key.wgsl";
import workgroupBest from "../shared/workgroup-best.wgsl";
import { mostLanes } from "../shared/workgroup-lanes.ts";
import chooseSource from "./sampler-choose.wgsl";
import digitSource from "./sampler-digit.wgsl";
import finish from "./sampler-finish.wgsl";
import greedyFinalSource from "./sampler-greedy-final.wgsl";
import greedyPartialSource from "./sampler-greedy-partial.wgsl";
import locate from "./sampler-locate.wgsl";
import prepareSource from "./sampler-prepare.wgsl";
import select from "./sampler-select.wgsl";
import settings from "./sampler-settings.wgsl";
import weighSource from "./sampler-weigh.wgsl";
import { FILTERS } from "./sampling-settings.ts";
import wideInteger from "./wide-integer.wgsl";

export { ALL_FILTERS, encodeSampling, filtersOf, SAMPLING_WORDS } from "./sampling-settings.ts";
export type { SamplingSettings } from "./sampling-settings.ts";

/** `greedy` only applies the repetition penalty; `sampled` obeys every setting. */
export type SamplerMode = "greedy" | "sampled";

/** What is fixed about a sampler. */
export interface SamplerShape {
  readonly vocabularySize: number;
  readonly mode: SamplerMode;
  /** Tokens the history holds. */
  readonly historyLength: number;
}

/** What changes from run to run. */
export interface SamplerLive {
  /** The tokens of the step that produced the logits. */
  readonly S: number;
  /** Bits of what the settings may have on, as `filtersOf` makes them. */
  readonly filters: number;
}

/** The limbs of the sums of weights are sized for this many tokens: see `sampler-select.wgsl`. */
export const MAX_VOCABULARY_SIZE = 2 ** 19;
/** Tokens a workgroup has at least, and workgroups at most: the last step has 256 bins for them. */
const MIN_CHUNK = 1024;
const MAX_GROUPS = 64;
const MAX_WORKGROUP_SIZE = 256;

/** Four digits of eight bits for top-k, then for top-p. */
const DIGITS = 4;
const STAGES = 2 * DIGITS;
/** Words of the histograms of all digits, two for each of 256 values. */
export const HISTOGRAM_WORDS = STAGES * 256 * 2;

type Layout = {
  readonly vocabulary_size: number;
  readonly chunk: number;
  /** Chunks. */
  readonly groups: number;
  /** Best tokens of parts of the vocabulary, which need not be chunks. */
  readonly bests: number;
};

type Dispatch = DispatchTemplate<SamplerLive>;

function perChunk(
  kernel: Kernel,
  bind: Dispatch["bind"],
  layout: Layout,
  extra: Readonly<Record<string, number>> = {},
): Dispatch {
  const params = { ...layout, ...extra };
  return { kernel, bind, params: () => params, grid: () => [layout.groups, 1, 1] };
}

function once(
  kernel: Kernel,
  bind: Dispatch["bind"],
  layout: Readonly<Record<string, number>>,
  historyLength: number,
): Dispatch {
  return {
    kernel,
    bind: { token: "token", input_pos: "input_pos", seen: "seen", history: "history", ...bind },
    params: ({ S }) => ({ ...layout, step: S, history_length: historyLength }),
    grid: () => [1, 1, 1],
    work: () => ({ bytes: { seen: 4, history: 4 } }),
  };
}

/**
 * The end of a greedy choice: the best of `groups` operands `best` [groups] of (key, token), as
 * `shared/order-key.wgsl` makes keys, and what `sampler` writes.
 */
export function greedyFinal(
  groups: number,
  historyLength: number,
  workgroupSize: number,
): Dispatch {
  const kernel = defineKernel({
    label: "sampler_greedy_final",
    parts: [invocationIndex, workgroupBest, finish, greedyFinalSource],
    overrides: { WORKGROUP_SIZE: workgroupSize },
  });
  return once(kernel, { best: "best" }, { groups }, historyLength);
}

function greedyDispatches(layout: Layout, historyLength: number, workgroupSize: number) {
  const overrides = { WORKGROUP_SIZE: workgroupSize };
  const partial = defineKernel({
    label: "sampler_greedy_partial",
    parts: [invocationIndex, orderKey, workgroupBest, settings, greedyPartialSource],
    overrides,
  });
  const inputs = { logits: "logits", sampling: "sampling", seen: "seen" };
  return [
    perChunk(partial, { best: "best", ...inputs }, layout),
    greedyFinal(layout.groups, historyLength, workgroupSize),
  ];
}

function prepareDispatch(layout: Layout, workgroupSize: number): Dispatch {
  const prepare = defineKernel({
    label: "sampler_prepare",
    parts: [invocationIndex, orderKey, workgroupBest, settings, prepareSource],
    overrides: { WORKGROUP_SIZE: workgroupSize },
  });
  const bind = {
    keys: "weights",
    best: "best",
    histograms: "histograms",
    logits: "logits",
    sampling: "sampling",
    seen: "seen",
  };
  return perChunk(prepare, bind, layout, { histogram_words: HISTOGRAM_WORDS });
}

/** What follows the keys of all tokens, their best ones, and cleared histograms. */
function selectionDispatches(
  layout: Layout,
  historyLength: number,
  workgroupSize: number,
): Dispatch[] {
  const overrides = { WORKGROUP_SIZE: workgroupSize };
  const search = [invocationIndex, orderKey, wideInteger, settings, locate];
  const digit = defineKernel({
    label: "sampler_digit",
    parts: [...search, select, digitSource],
    overrides,
  });
  const weigh = defineKernel({
    label: "sampler_weigh",
    parts: [...search, select, weighSource],
    overrides,
  });
  const choose = defineKernel({
    label: "sampler_choose",
    parts: [...search, workgroupBest, finish, chooseSource],
    overrides,
  });
  const selection = {
    histograms: "histograms",
    selection: "selection",
    best: "best",
    sampling: "sampling",
    keys: "weights",
  };
  return [
    ...Array.from({ length: STAGES }, (_, stage): Dispatch => {
      const made = perChunk(digit, selection, layout, { stage });
      const filter = stage < DIGITS ? FILTERS.topK : FILTERS.topP;
      return {
        ...made,
        grid: (live) => ((live.filters & filter) === 0 ? NO_WORKGROUPS : made.grid(live)),
      };
    }),
    perChunk(weigh, { ...selection, sums: "sums" }, layout),
    once(
      choose,
      { weights: "weights", sums: "sums", best: "best", sampling: "sampling" },
      layout,
      historyLength,
    ),
  ];
}

const selectionScratch = ({ vocabulary_size, groups, bests }: Layout) => ({
  best: 8 * bests,
  weights: 4 * vocabulary_size,
  histograms: 4 * HISTOGRAM_WORDS,
  selection: 16 * (STAGES + 1),
  sums: 8 * groups,
});

function chunksOf(vocabularySize: number): Omit<Layout, "bests"> {
  const chunk = Math.max(MIN_CHUNK, divideCeil(vocabularySize, MAX_GROUPS));
  return { vocabulary_size: vocabularySize, chunk, groups: divideCeil(vocabularySize, chunk) };
}

const lanesOf = (capabilities: Capabilities): number =>
  Math.min(MAX_WORKGROUP_SIZE, mostLanes(capabilities));

/**
 * The end of a sampled choice, after what leaves as scratch `weights` the order key of every token, `best` the
 * best of `bests` parts as {@link greedyFinal} has them, and `histograms` of {@link HISTOGRAM_WORDS} zeros.
 */
export function sampledFinal(
  { vocabularySize, historyLength }: Omit<SamplerShape, "mode">,
  bests: number,
  capabilities: Capabilities,
): Pick<Route<SamplerLive>, "scratch" | "dispatches"> {
  const layout = { ...chunksOf(vocabularySize), bests };
  return {
    scratch: selectionScratch(layout),
    dispatches: selectionDispatches(layout, historyLength, lanesOf(capabilities)),
  };
}

/**
 * Chooses the next token on the GPU and prepares the next step there. Operands:
 * - logits f32 [V], of the step's last token; NaN is never chosen, unless there is nothing else
 * - sampling u32 [16], see {@link encodeSampling}
 * - seen u32 [⌈V / 32⌉], the tokens in the context as bits; the chosen one is added
 * - input_pos i32 [1], the position of the step's first token; advanced by S
 * - token i32 [1], written: the chosen token
 * - history i32 [historyLength]; history[input_pos + S] is written where it exists
 *
 * Filters apply in the order of Hugging Face's: repetition penalty, temperature, top-k, top-p of what
 * top-k left, min-p. Of equal logits at a threshold all are kept; greedy choice takes the first. The
 * random number depends on seed and position alone. Tokens less likely than 2^-27 of the likeliest
 * are never sampled. Passes of filters that `filters` lacks are left out: `sampling` must not have them on.
 * Throws `UnsupportedError` for a vocabulary of more than 2^19 tokens.
 */
export function sampler(
  { vocabularySize, mode, historyLength }: SamplerShape,
  capabilities: Capabilities,
): Route<SamplerLive> {
  if (!(vocabularySize >= 1 && vocabularySize <= MAX_VOCABULARY_SIZE)) {
    throw new UnsupportedError(
      `sampler: a vocabulary of ${vocabularySize} tokens; supported: 1 to ${MAX_VOCABULARY_SIZE}`,
    );
  }
  const chunks = chunksOf(vocabularySize);
  const layout = { ...chunks, bests: chunks.groups };
  const workgroupSize = lanesOf(capabilities);
  if (mode === "greedy") {
    return {
      name: "sampler_greedy",
      scratch: { best: 8 * layout.bests },
      dispatches: greedyDispatches(layout, historyLength, workgroupSize),
    };
  }
  return {
    name: "sampler_sampled",
    scratch: selectionScratch(layout),
    dispatches: [
      prepareDispatch(layout, workgroupSize),
      ...selectionDispatches(layout, historyLength, workgroupSize),
    ],
  };
}
