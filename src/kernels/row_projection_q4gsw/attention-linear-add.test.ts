import { expect, test } from "vitest";
import { GPU } from "../../../tests/support/gpu-record.ts";
import { defaultRoute } from "../shared/tunable.ts";
import { attentionLinearAddTunable } from "./attention-linear-add.ts";

/** What runs at a position of a cache: one letter a dispatch. */
function dispatched(heads: readonly [number, number, number], cacheLength: number) {
  const [count, kvHeads, headSize] = heads;
  const sizes = { heads: count, kvHeads, headSize, cacheLength, N: 4096, groupSize: 32 };
  const types = { scaleType: "f16", cacheType: "f16" } as const;
  const shape = { ...sizes, ...types, nextNorm: true };
  const { dispatches } = defaultRoute(attentionLinearAddTunable(shape, GPU));
  return (position: number): string =>
    dispatches
      .filter(({ grid }) => !grid({ position }).includes(0))
      .map(({ bind }) => ("out" in bind ? ("x" in bind ? "p" : "P") : "j"))
      .join("");
}

test("one projection at every position, after a join where it reads the joined row", () => {
  for (const heads of [
    [32, 8, 64],
    [14, 2, 64],
    [9, 3, 64],
    [16, 8, 128],
  ] as const) {
    for (const cacheLength of [64, 2100, 4160, 4500, 8192, 13_000]) {
      const at = dispatched(heads, cacheLength);
      const runs = new Set<string>();
      for (let position = 0; position < cacheLength; position += 7) runs.add(at(position));
      runs.add(at(cacheLength - 1));
      expect(["P", "jp"], `${heads.join("/")} of ${cacheLength}`).toEqual(
        expect.arrayContaining([...runs]),
      );
    }
  }
});
