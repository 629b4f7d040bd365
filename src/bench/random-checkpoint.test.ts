import { expect, test } from "vitest";
import { RequestError } from "../errors.ts";
import { dequantizeQ4Row } from "../quant/q4gsw.ts";
import { buildModel } from "../models/index.ts";
import { randomCheckpoint, randomQ4Matrix } from "./random-checkpoint.ts";
import { modelShape, SHAPE_NAMES, weightShapes } from "./shapes.ts";

test("rows are the same however they are read, and differ by row and name", async () => {
  const { data } = randomQ4Matrix("a", 64, 96);
  const [weight, scales] = await data.read(0, 64);
  const [tail, tailScales] = await data.read(63, 1);
  expect(tail).toEqual(weight!.slice(63 * 48));
  expect(tailScales).toEqual(scales!.slice(63 * 6));
  expect(weight!.slice(0, 48)).not.toEqual(weight!.slice(48, 96));
  const [other] = await randomQ4Matrix("b", 64, 96).data.read(0, 64);
  expect(other).not.toEqual(weight);
});

test.each([512, 704])("a row of %i keeps a unit input at unit variance", async (columns) => {
  const rows = 256;
  const [weight, scales] = await randomQ4Matrix("m", rows, columns).data.read(0, rows);
  const planes = {
    rows,
    columns,
    groupSize: 32,
    weight: weight!,
    scales: new Uint16Array(scales!.buffer),
    scaleType: "f16",
  } as const;
  let [squares, sum] = [0, 0];
  for (let row = 0; row < rows; row++) {
    for (const value of dequantizeQ4Row(planes, row)) {
      squares += value * value;
      sum += value;
    }
  }
  expect(squares / rows).toBeGreaterThan(0.97);
  expect(squares / rows).toBeLessThan(1.03);
  // Values lean to neither side: else all products of a positive row would be alike.
  const deviation = Math.sqrt(squares / (rows * columns));
  expect(Math.abs(sum / (rows * columns))).toBeLessThan(0.01 * deviation);
});

test.each(SHAPE_NAMES)("%s builds as a checkpoint of its architecture does", async (name) => {
  const shape = modelShape(name);
  const checkpoint = randomCheckpoint(shape);
  const decoder = await buildModel(checkpoint, {
    contextLength: 64,
    maxSequenceLength: 32,
    cacheType: "f16",
  });
  expect(decoder.vocabularySize).toBe(shape.hyperparameters.vocabularySize);
});

/** Parameters as the models' publishers count them, in millions. */
test.each([
  ["llama-3.2-1b", 1236],
  ["llama-3.2-3b", 3213],
  ["llama-3.1-8b", 8030],
  ["qwen3-0.6b", 596],
  ["qwen3-4b", 4022],
])("%s has its parameters", (name, millions) => {
  const count = weightShapes(modelShape(name)).reduce(
    (sum, { rows, columns = 1 }) => sum + rows * columns,
    0,
  );
  expect(Math.round(count / 1e6)).toBe(millions);
});

test("an unknown shape is refused by name", () => {
  expect(() => modelShape("gpt-5")).toThrow(RequestError);
  expect(() => modelShape("gpt-5")).toThrow(/known: llama-3.2-1b/);
});
