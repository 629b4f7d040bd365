import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Model } from "../src/model.ts";
import { Tetrad } from "../src/node.ts";
import { compareWithReference } from "./support/stories-reference.ts";
import type { StoriesReference } from "./support/stories-reference.ts";

const folder = new URL("../models/stories-14m/", import.meta.url);
const file = fileURLToPath(new URL("stories-14m-q4_0.gguf", folder));

const onSwiftShader = process.env["TETRAD_TEST_ADAPTER"] === "swiftshader";

/**
 * Prompts that are compared: all eight on lavapipe, and two, one of them with a step that is left open, on
 * SwiftShader, which takes several times as long; there, too, all with `npm run test:heavy`.
 */
const PROMPTS = onSwiftShader && process.env["TETRAD_HEAVY"] !== "1" ? 2 : 8;

describe("stories-14m", () => {
  let tetrad: Tetrad;
  let model: Model;
  beforeAll(async () => {
    tetrad = await Tetrad.create({ forceSoftware: onSwiftShader });
    model = await tetrad.load(file, { cacheType: "f32" });
  });
  afterAll(() => tetrad.dispose());

  // Some 400 tokens, which a slow machine's software adapter computes at two a second.
  test("greedy tokens and first logits agree with float64", { timeout: 300_000 }, async () => {
    const json = await readFile(new URL("reference.json", folder), "utf8");
    const reference = JSON.parse(json) as StoriesReference;
    expect(reference.cases.length).toBe(8);
    const { steps, mismatches, maxLogitError } = await compareWithReference(model, {
      cases: reference.cases.slice(0, PROMPTS),
    });
    expect(mismatches).toEqual([]);
    expect(maxLogitError).toBeLessThan(1e-3);
    expect(steps).toBeGreaterThan(45 * PROMPTS);
  });
});
