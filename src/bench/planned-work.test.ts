import { expect, test } from "vitest";
import { GPU } from "../../tests/support/gpu-record.ts";
import { planDecoder } from "../generate/decoder-plans.ts";
import { buildModel } from "../models/index.ts";
import { promptWork, stepWork } from "./planned-work.ts";
import { randomCheckpoint } from "./random-checkpoint.ts";
import { modelShape } from "./shapes.ts";

const CEILINGS = { bytesPerSecond: 1e12, operationsPerSecond: { f32: 1e13 } };
const CHUNK = 16;

const shape = modelShape("tiny");
const { layers, hiddenSize, heads, kvHeads, headSize, feedForwardSize, vocabularySize } =
  shape.hyperparameters;
/** Of one layer's matrices. */
const WEIGHTS =
  2 * hiddenSize * heads * headSize +
  2 * hiddenSize * kvHeads * headSize +
  3 * hiddenSize * feedForwardSize;

async function planned() {
  const decoder = await buildModel(randomCheckpoint(shape), {
    contextLength: 64,
    maxSequenceLength: CHUNK,
    cacheType: "f16",
  });
  return { decoder, plans: planDecoder(decoder, GPU) };
}

/** Scores and sums of query rows over `pairs` rows of the context, in every layer. */
const attention = (pairs: number) => 4 * layers * heads * headSize * pairs;
const vocabulary = 2 * vocabularySize * hiddenSize;

test("a step multiplies every weight once, and attends to the context up to itself", async () => {
  const { operations, dispatches, bound } = stepWork(await planned(), 30, {}, CEILINGS);
  expect(operations).toBe(2 * layers * WEIGHTS + vocabulary + attention(31));
  expect(dispatches).toBeGreaterThan(10);
  expect(bound).toBe("memory");
});

test.each([40, 33, 16, 1])("a prompt of %i tokens, in chunks, has one logits", async (tokens) => {
  const { operations } = promptWork(await planned(), tokens, CEILINGS);
  const pairs = (tokens * (tokens + 1)) / 2;
  // Nobody reads what comes of the last layer's attention, but in the last chunk.
  const filled = CHUNK * (Math.ceil(tokens / CHUNK) - 1);
  const unread = hiddenSize * heads * headSize + 3 * hiddenSize * feedForwardSize;
  const weights = 2 * tokens * layers * WEIGHTS - 2 * filled * unread;
  expect(operations).toBe(weights + vocabulary + attention(pairs));
});

test("chunks add up to no less time than one would take", async () => {
  const decoder = await planned();
  const [short, long] = [16, 48].map((tokens) => promptWork(decoder, tokens, CEILINGS));
  expect(long!.limitMs).toBeGreaterThan(2 * short!.limitMs);
  expect(long!.dispatches).toBeGreaterThan(2 * short!.dispatches);
});
