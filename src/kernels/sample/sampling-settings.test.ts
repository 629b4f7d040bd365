import { describe, expect, test } from "vitest";
import { RequestError } from "../../errors.ts";
import { chooseByWeights, firstBest, philox, samplingReference } from "./sample.reference.ts";
import { encodeSampling } from "./sampling-settings.ts";
import type { SamplingSettings } from "./sampling-settings.ts";

describe("encodeSampling", () => {
  test("puts every setting in its word", () => {
    const words = encodeSampling({
      temperature: 0.5,
      topK: 40,
      topP: 0.25,
      minP: 0.125,
      repetitionPenalty: 1.5,
      seed: 0xfedcba98,
    });
    expect(words).toHaveLength(16);
    expect([...new Float32Array(words.buffer).subarray(2, 5)]).toEqual([0.25, 0.125, 1.5]);
    expect(new Float32Array(words.buffer)[0]).toBe(0.5);
    expect([words[1], words[5]]).toEqual([40, 0xfedcba98]);
  });

  test("has every filter off by default", () => {
    const words = encodeSampling({});
    expect([...new Float32Array(words.buffer, 0, 5)]).toEqual([1, 0, 1, 0, 1]);
  });

  const wrong: SamplingSettings[] = [
    { temperature: -1 },
    { temperature: Number.NaN },
    { temperature: Number.POSITIVE_INFINITY },
    { topK: -1 },
    { topK: 1.5 },
    { topP: 1.1 },
    { topP: Number.NaN },
    { minP: -0.1 },
    { repetitionPenalty: 0 },
    { seed: 2 ** 32 },
  ];
  test.each(wrong)("rejects %o", (settings) => {
    expect(() => encodeSampling(settings)).toThrow(RequestError);
  });
});

describe("the reference", () => {
  // Known answers of the Random123 distribution's test vectors.
  test.each([
    [[0, 0], 0, [0xff1dae59, 0x6cd10df2]],
    [[0xffffffff, 0xffffffff], 0xffffffff, [0x2c3f628b, 0xab4fd7ad]],
    [[0x243f6a88, 0x85a308d3], 0x13198a2e, [0xdd7ce038, 0xf62a4c12]],
  ] as const)("philox2x32-10 of %o and key %i", (counter, seed, words) => {
    expect(philox(counter, seed)).toEqual([...words]);
  });

  test("top-p keeps the token that passes the share", () => {
    const logits = [0.5, 0.3, 0.2].map(Math.log);
    const { probabilities } = samplingReference(logits, new Uint32Array(1), { topP: 0.6 });
    expect(probabilities[0]).toBeCloseTo(0.625, 12);
    expect(probabilities[1]).toBeCloseTo(0.375, 12);
    expect(probabilities[2]).toBe(0);
  });

  test("top-p counts what top-k left", () => {
    const logits = [0.4, 0.3, 0.2, 0.1].map(Math.log);
    // Of 0.4 and 0.3, the first alone has 4/7 of the probability, of all four only 0.4.
    const kept = ({ probabilities }: { probabilities: Float64Array }) =>
      probabilities.filter((p) => p > 0).length;
    const none = new Uint32Array(1);
    expect(kept(samplingReference(logits, none, { topK: 2, topP: 0.5 }))).toBe(1);
    expect(kept(samplingReference(logits, none, { topP: 0.5 }))).toBe(2);
  });

  test("a penalty lowers logits of either sign", () => {
    const seen = Uint32Array.of(0b11);
    const { best } = samplingReference([2, -1, 1.5], seen, { repetitionPenalty: 2 });
    expect(best).toBe(2);
    const { probabilities } = samplingReference([2, -1, 1.5], seen, { repetitionPenalty: 2 });
    expect(Math.log(probabilities[0]! / probabilities[1]!)).toBeCloseTo(1 - -2, 12);
  });

  test("ties: the first is best, NaN never", () => {
    expect(firstBest([Number.NaN, 1, 3, 3])).toBe(2);
    expect(chooseByWeights(Uint32Array.of(0, 1, 1), 0x80000000)).toBe(2);
    expect(chooseByWeights(Uint32Array.of(0, 1, 1), 0x7fffffff)).toBe(1);
  });
});
