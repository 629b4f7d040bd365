import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Model } from "../src/model.ts";
import { Tetrad } from "../src/node.ts";

/** The embedded model against greedy continuations computed in float64 on its exact weights. */
interface Reference {
  readonly cases: readonly {
    readonly prompt: string;
    readonly prompt_tokens: readonly number[];
    readonly greedy_tokens: readonly number[];
    readonly greedy_text: string;
    readonly top2_gaps: readonly number[];
    readonly first_logits_top5: readonly (readonly [id: number, logit: number])[];
  }[];
}

const folder = new URL("../models/stories-14m/", import.meta.url);
const file = fileURLToPath(new URL("stories-14m-q4_0.gguf", folder));

/** Steps with a smaller gap between the two best tokens may go either way in f32. */
const DECISIVE_GAP = 0.01;

describe("stories-14m", () => {
  let tetrad: Tetrad;
  let model: Model;
  let reference: Reference;
  beforeAll(async () => {
    const forceSoftware = process.env["TETRAD_TEST_ADAPTER"] === "swiftshader";
    tetrad = await Tetrad.create({ forceSoftware });
    model = await tetrad.load(file, { cacheType: "f32" });
    reference = JSON.parse(
      await readFile(new URL("reference.json", folder), "utf8"),
    ) as Reference;
  });
  afterAll(() => tetrad.dispose());

  test("greedy tokens and first logits agree with float64", async () => {
    expect(reference.cases.length).toBe(8);
    for (const { prompt, ...expected } of reference.cases) {
      expect(model.tokenize(prompt)).toEqual(expected.prompt_tokens);
      await model.generate(prompt, { maxTokens: 1 }).result;
      const logits = await model.session.readLogits();
      for (const [id, logit] of expected.first_logits_top5) {
        expect(Math.abs(logits[id]! - logit)).toBeLessThan(1e-3);
      }
      await expectDecisiveSteps(expected.prompt_tokens, expected.greedy_tokens, expected.top2_gaps);
    }
  });

  /** Every step with a decisive gap, each run forced through the reference's tokens before it. */
  async function expectDecisiveSteps(
    prompt: readonly number[],
    greedy: readonly number[],
    gaps: readonly number[],
  ): Promise<void> {
    let step = 0;
    while (step < greedy.length) {
      const open = gaps.findIndex((gap, i) => i >= step && gap <= DECISIVE_GAP);
      const end = open < 0 ? greedy.length : open;
      if (end > step) {
        const forced = [...prompt, ...greedy.slice(0, step)];
        const { tokens } = await model.generate(forced, { maxTokens: end - step }).result;
        expect(tokens).toEqual(greedy.slice(step, end));
      }
      step = end + 1;
    }
  }
});
