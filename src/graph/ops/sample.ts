/** The sampler as an operator, so that the next token is chosen and fed back on the GPU. */
import { normLinearChoiceTunable } from "../../kernels/row_projection_q4gsw/linear-choice.ts";
import { sampler } from "../../kernels/sample/sample.ts";
import type { SamplerMode } from "../../kernels/sample/sample.ts";
import type { SymIntValues } from "../symint.ts";
import { fixedDim, call, onlyResult, readArguments, tunedCall } from "./op.ts";
import type { ArgumentReader, Op } from "./op.ts";
import { inferRow, readRow, ROW, rowOf } from "./row-arguments.ts";

/** The sampler's settings and what it keeps: five tensors of i32 from argument `first` on. */
function samplerState(args: ArgumentReader, first: number) {
  return {
    sampling: args.typed(first, "i32"),
    seen: args.typed(first + 1, "i32"),
    input_pos: args.typed(first + 2, "i32"),
    token: args.typed(first + 3, "i32"),
    history: args.typed(first + 4, "i32"),
  };
}

/** Which sampler a node asks for. */
export const readSamplerMode = (args: ArgumentReader, index: number): SamplerMode =>
  args.string(index) === "greedy" ? "greedy" : "sampled";

/** The filters that settings may have on. The greedy sampler has none: whatever they are, it is the same. */
function readFilters(args: ArgumentReader, index: number, mode: SamplerMode) {
  const filters = args.int(index);
  return (values: SymIntValues): number => (mode === "greedy" ? 0 : values.get(filters));
}

/** Where `tetrad.sample` has what comes after the logits. */
export const SAMPLE = { state: 1, mode: 6, S: 7, filters: 8 } as const;

/**
 * [logits [1, V], sampling u32 [16] (as i32), seen [⌈V/32⌉], input_pos [1], token [1],
 * history [C], mode "greedy" | "sampled", S, filters: bits of those that settings may have on] → nothing;
 * writes token, history and seen, and advances input_pos by S.
 */
export const sampleOp: Op = {
  infer(args) {
    args.typed(0, "f32");
    samplerState(args, SAMPLE.state);
    return [];
  },
  lower(node, { capabilities }) {
    const args = readArguments(node);
    const logits = args.tensor(0);
    const mode = readSamplerMode(args, SAMPLE.mode);
    const state = samplerState(args, SAMPLE.state);
    const [S, filters] = [args.int(SAMPLE.S), readFilters(args, SAMPLE.filters, mode)];
    const live = (values: SymIntValues) => ({ S: values.get(S), filters: filters(values) });
    const route = sampler(
      { vocabularySize: fixedDim(logits, -1), mode, historyLength: fixedDim(state.history, 0) },
      capabilities,
    );
    return [call(route, { logits, ...state }, live)];
  },
};

/** Where `tetrad.norm_linear_choice_q4gsw` has what comes after the matrix. */
const CHOICE = {
  state: ROW.matrices + 2,
  mode: ROW.matrices + 7,
  filters: ROW.matrices + 8,
} as const;

/**
 * [row (see `ROW`), weight, scales, sampling, seen, input_pos, token, history, mode, filters] → logits
 * [1, …, V]; and does what `tetrad.sample` does with them, after a step of one token.
 */
export const normLinearChoiceQ4gswOp: Op = {
  infer(args) {
    const [V = 0] = inferRow(args, 1);
    const { seen } = samplerState(args, CHOICE.state);
    args.check(32 * fixedDim(seen, 0) >= V, () => `"${seen.name}" has no bit for each of ${V}`);
    return [rowOf(args, V)];
  },
  lower(node, context) {
    const args = readArguments(node);
    const { shape, input, matrix } = readRow(node);
    const [weight, scales] = matrix(0);
    const state = samplerState(args, CHOICE.state);
    const mode = readSamplerMode(args, CHOICE.mode);
    const filters = readFilters(args, CHOICE.filters, mode);
    const choice = { N: fixedDim(weight, 0), mode, historyLength: fixedDim(state.history, 0) };
    return [
      tunedCall(
        normLinearChoiceTunable({ ...shape, ...choice }, context.capabilities),
        { ...input, weight, scales, ...state, out: onlyResult(node) },
        (values) => ({ filters: filters(values) }),
        context,
      ),
    ];
  },
};
