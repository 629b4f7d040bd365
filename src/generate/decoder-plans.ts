import type { SamplingOptions } from "../api.ts";
import type { Capabilities } from "../gpu/capabilities.ts";
import { ALL_FILTERS, SAMPLING_WORDS } from "../graph/sampling.ts";
import type { SamplerMode } from "../graph/sampling.ts";
import type { DecoderGraph } from "../graph/decoder-graph.ts";
import { specializeGraph } from "../graph/ir.ts";
import type { Graph, Tensor } from "../graph/ir.ts";
import { fuseChoice } from "../graph/passes/fuse-choice.ts";
import { optimizeGraph } from "../graph/passes/index.ts";
import type { Pass } from "../graph/passes/index.ts";
import { joinProjections } from "../graph/passes/join-projections.ts";
import { planGraph } from "../graph/plan.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tuning } from "../graph/tuning.ts";
import { symIntRoot } from "../graph/symint.ts";
import type { IntLike, SymIntRoot } from "../graph/symint.ts";

/** What the sampler keeps on the GPU from one step to the next. */
export interface SamplerState {
  /** Settings, i32 [16]. */
  readonly sampling: Tensor;
  /** Which filters they have on, to be set before a sampled run: see `filtersOf`. */
  readonly filters: SymIntRoot;
  /** A bit for every token id in the context, i32 [⌈V / 32⌉]. */
  readonly seen: Tensor;
  /** The chosen token, i32 [1, 1]: the next step's input. */
  readonly token: Tensor;
  /** The chosen tokens by position, i32 [context]. */
  readonly history: Tensor;
}

/** The ways a decoder runs, over the same constants and state. */
export interface DecoderPlans {
  readonly state: SamplerState;
  /** Many tokens, no logits: every chunk of a prompt but the last. */
  readonly fill: Plan;
  /** Many tokens, then the sampler. */
  readonly prompt: Readonly<Record<SamplerMode, Plan>>;
  /** One token, read from `state.token`, then the sampler. */
  readonly step: Readonly<Record<SamplerMode, Plan>>;
  /** f32 [1, V], after a prompt or step. */
  readonly logits: Tensor;
}

/** Each of the plans. */
export function allPlans({ fill, prompt, step }: DecoderPlans): readonly Plan[] {
  return [fill, prompt.greedy, prompt.sampled, step.greedy, step.sampled];
}

/** Which of a decoder's plans obey the settings. */
export const samplerMode = ({ temperature = 0 }: SamplingOptions): SamplerMode =>
  temperature === 0 ? "greedy" : "sampled";

function stateTensor(name: string, dims: readonly number[]): Tensor {
  return { kind: "tensor", name, dtype: "i32", dims, storage: { kind: "state" } };
}

/** The graph with the sampler after its logits. */
function withSampler(
  graph: Graph,
  decoder: DecoderGraph,
  state: SamplerState,
  mode: SamplerMode,
  S: IntLike,
): Graph {
  const [logits] = graph.outputs;
  if (logits === undefined) throw new Error(`${graph.name}: a decoder has logits`);
  const { sampling, filters, seen, token, history } = state;
  const sample = {
    op: "tetrad.sample",
    args: [logits, sampling, seen, decoder.inputPos, token, history, mode, S, filters],
    results: [],
  };
  return { ...graph, name: `${graph.name}.${mode}`, nodes: [...graph.nodes, sample] };
}

/**
 * Plans every way a decoder runs, with what was measured on the device. `pass` rewrites the graphs
 * first: all passes, unless told.
 */
export function planDecoder(
  decoder: DecoderGraph,
  capabilities: Capabilities,
  tuning?: Tuning,
  pass: Pass = optimizeGraph,
): DecoderPlans {
  const { vocabularySize, contextLength, tokens, sequenceLength } = decoder;
  const state: SamplerState = {
    sampling: stateTensor("sampling", [SAMPLING_WORDS]),
    filters: symIntRoot("filters", 0, ALL_FILTERS),
    seen: stateTensor("seen", [Math.ceil(vocabularySize / 32)]),
    token: stateTensor("token", [1, 1]),
    history: stateTensor("history", [contextLength]),
  };
  // Before the two kinds of plan part ways, so that they share what is joined.
  const graph = joinProjections(decoder.graph, capabilities);
  const many = pass({ ...graph, name: "prompt" }, capabilities, tuning);
  const single = specializeGraph(
    graph,
    new Map([[sequenceLength, 1]]),
    new Map([[tokens, state.token]]),
  );
  const one = pass({ ...single, name: "step" }, capabilities, tuning);
  const plan = (graph: Graph) => planGraph(graph, capabilities, tuning);
  const prompt = (mode: SamplerMode) =>
    plan(withSampler(many, decoder, state, mode, sequenceLength));
  // What the passes made can have the sampler in it.
  const step = (mode: SamplerMode) =>
    plan(fuseChoice(withSampler(one, decoder, state, mode, 1), capabilities));
  const prompts = { greedy: prompt("greedy"), sampled: prompt("sampled") };
  return {
    state,
    fill: plan({ ...many, name: "fill", outputs: [] }),
    prompt: prompts,
    step: { greedy: step("greedy"), sampled: step("sampled") },
    logits: prompts.greedy.outputs[0]!,
  };
}
