import type { Model } from "../../src/model.ts";

/**
 * Greedy continuations of the embedded model, computed in float64 on its exact 4-bit weights:
 * `models/stories-14m/reference.json`.
 */
export interface StoriesReference {
  readonly cases: readonly {
    readonly prompt: string;
    readonly prompt_tokens: readonly number[];
    readonly greedy_tokens: readonly number[];
    readonly top2_gaps: readonly number[];
    readonly first_logits_top5: readonly (readonly [id: number, logit: number])[];
  }[];
}

/** How a model compared. */
export interface ReferenceReport {
  /** Steps whose token was compared, and those among them that differed. */
  readonly steps: number;
  readonly mismatches: readonly string[];
  /** Largest deviation of the first logits. */
  readonly maxLogitError: number;
}

/** Steps with a smaller gap between the two best tokens may go either way in f32. */
const DECISIVE_GAP = 0.01;

type Case = StoriesReference["cases"][number];

/** Every step with a decisive gap, each run forced through the reference's tokens before it. */
async function compareSteps(model: Model, expected: Case, mismatches: string[]): Promise<number> {
  const { prompt, prompt_tokens, greedy_tokens: greedy, top2_gaps: gaps } = expected;
  let compared = 0;
  let step = 0;
  while (step < greedy.length) {
    const open = gaps.findIndex((gap, i) => i >= step && gap <= DECISIVE_GAP);
    const end = open < 0 ? greedy.length : open;
    if (end > step) {
      const forced = [...prompt_tokens, ...greedy.slice(0, step)];
      const { tokens } = await model.generate(forced, { maxTokens: end - step }).result;
      for (let i = step; i < end; i++) {
        compared += 1;
        if (tokens[i - step] === greedy[i]) continue;
        mismatches.push(`"${prompt}" step ${i}: got ${tokens[i - step]}, expected ${greedy[i]}`);
      }
    }
    step = end + 1;
  }
  return compared;
}

/** Compares tokenisation, first logits and every decisive greedy step. */
export async function compareWithReference(
  model: Model,
  reference: StoriesReference,
): Promise<ReferenceReport> {
  const mismatches: string[] = [];
  let steps = 0;
  let maxLogitError = 0;
  for (const expected of reference.cases) {
    const { prompt, prompt_tokens } = expected;
    if (model.tokenize(prompt).join() !== prompt_tokens.join()) {
      mismatches.push(`"${prompt}" is tokenised as ${model.tokenize(prompt).join()}`);
    }
    await model.generate(prompt, { maxTokens: 1 }).result;
    const logits = await model.session.readLogits();
    for (const [id, logit] of expected.first_logits_top5) {
      maxLogitError = Math.max(maxLogitError, Math.abs((logits[id] ?? Number.NaN) - logit));
    }
    steps += await compareSteps(model, expected, mismatches);
  }
  return { steps, mismatches, maxLogitError };
}
