import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { requestTestDevice } from "../../tests/support/gpu.ts";
import { hostFloats, longs } from "../../tests/support/pte-fixtures.ts";
import { compare } from "../kernels/testing/compare.ts";
import { memorySource } from "../memory-source.ts";
import { LoadedProgram } from "./loaded-program.ts";

const FOLDER = new URL("../../models/stories-14m/pte/", import.meta.url);
const VOCABULARY = 4096;

interface GoldenLong {
  readonly cases: readonly {
    readonly name: string;
    readonly steps: readonly { readonly tokens: readonly number[]; readonly pos: number }[];
    readonly top2_gap: readonly number[];
    readonly first_logit_row: number;
  }[];
}

const bytes = (name: string) => new Uint8Array(readFileSync(new URL(name, FOLDER)));
const { cases } = JSON.parse(new TextDecoder().decode(bytes("golden_long.json"))) as GoldenLong;

/**
 * The embedded model's program over its whole context: a prefill of 300 tokens decoded to the end,
 * the longest prefill, and a prefill in chunks. Some 240 runs a device.
 */
test.runIf(process.env["TETRAD_HEAVY"] === "1").each(cases)(
  "$name",
  { timeout: 600_000 },
  async ({ steps, top2_gap, first_logit_row }) => {
    const gpu = await requestTestDevice();
    const source = memorySource(bytes("stories-14m-4w.pte"), "stories.pte");
    const program = await LoadedProgram.load(gpu, source);
    const golden = new Float32Array(bytes("stories-14m-4w.long.logits.bin").buffer);
    for (const [index, { tokens, pos }] of steps.entries()) {
      const inputs = [longs(tokens, 1, tokens.length), longs([pos], 1)];
      const [output] = await program.run("forward", inputs);
      const logits = hostFloats(output);
      const row = first_logit_row + index;
      const expected = golden.subarray(row * VOCABULARY, (row + 1) * VOCABULARY);
      const { report } = compare(logits, expected, { absolute: 1e-3, relative: 0 });
      expect(report, `step ${index}`).toBe("");
      if (top2_gap[index]! < 2e-3) continue;
      const best = (values: Float32Array) => values.indexOf(Math.max(...values));
      expect(best(logits), `step ${index}`).toBe(best(expected));
    }
    await program.dispose();
  },
);
