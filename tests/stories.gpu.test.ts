import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Model } from "../src/model.ts";
import { Tetrad } from "../src/node.ts";
import { compareWithReference } from "./support/stories-reference.ts";
import type { StoriesReference } from "./support/stories-reference.ts";

const folder = new URL("../models/stories-14m/", import.meta.url);
const file = fileURLToPath(new URL("stories-14m-q4_0.gguf", folder));

describe("stories-14m", () => {
  let tetrad: Tetrad;
  let model: Model;
  beforeAll(async () => {
    const forceSoftware = process.env["TETRAD_TEST_ADAPTER"] === "swiftshader";
    tetrad = await Tetrad.create({ forceSoftware });
    model = await tetrad.load(file, { cacheType: "f32" });
  });
  afterAll(() => tetrad.dispose());

  // Some 400 tokens, which a software adapter computes at ten a second.
  test("greedy tokens and first logits agree with float64", { timeout: 300_000 }, async () => {
    const json = await readFile(new URL("reference.json", folder), "utf8");
    const reference = JSON.parse(json) as StoriesReference;
    expect(reference.cases.length).toBe(8);
    const { steps, mismatches, maxLogitError } = await compareWithReference(model, reference);
    expect(mismatches).toEqual([]);
    expect(maxLogitError).toBeLessThan(1e-3);
    expect(steps).toBeGreaterThan(360);
  });
});
