import { describe, expect, test } from "vitest";
import { GPU } from "../../../tests/support/gpu-record.ts";
import { sdpaSplits, splitStarts } from "./sdpa-splits.ts";
import { sdpaPartialsTunable } from "./sdpa-with-kv-cache.ts";

const LLAMA_1B = { heads: 32, kvHeads: 8, headSize: 64 };
const SHAPES = [
  LLAMA_1B,
  { heads: 32, kvHeads: 8, headSize: 128 },
  { heads: 14, kvHeads: 2, headSize: 64 },
  { heads: 6, kvHeads: 6, headSize: 48 },
  { heads: 66, kvHeads: 33, headSize: 64 },
  { heads: 1, kvHeads: 1, headSize: 4 },
  { heads: 300, kvHeads: 300, headSize: 8 },
];
const describeShape = ({ heads, kvHeads, headSize }: (typeof SHAPES)[number]) =>
  `${heads}/${kvHeads}x${headSize}`;

test.each(SHAPES.map((shape) => [describeShape(shape), shape] as const))(
  "splits of %s cover every context, none is empty, and there is room for all",
  (_, shape) => {
    for (const cacheLength of [1, 64, 65, 1000, 8320, 70_000]) {
      const { most, at } = sdpaSplits({ ...shape, cacheLength });
      for (let position = 0; position < cacheLength; position += cacheLength > 1000 ? 61 : 1) {
        const starts = splitStarts(at(position));
        expect(starts.length).toBeLessThanOrEqual(most);
        expect(starts[0]).toBe(0);
        const ends = [...starts.slice(1), position + 1];
        expect(starts.every((start, i) => start < ends[i]!)).toBe(true);
      }
      expect(at(2 * cacheLength)).toEqual(at(cacheLength - 1));
    }
  },
);

describe("Llama-3.2-1B's splits", () => {
  const { at } = sdpaSplits({ ...LLAMA_1B, cacheLength: 16_384 });
  const lengths = (context: number): number[] => {
    const starts = splitStarts(at(context - 1));
    return starts.map((start, i) => (starts[i + 1] ?? context) - start);
  };
  const times = (count: number, length: number): number[] => Array(count).fill(length) as number[];

  test("are no more than it takes while they are short", () => {
    expect(lengths(1)).toEqual([1]);
    expect(lengths(65)).toEqual([64, 1]);
    expect(lengths(1024)).toEqual(times(16, 64));
    expect(lengths(1025)).toEqual([...times(8, 128), 1]);
    expect(lengths(2113)).toEqual([...times(10, 192), 128, 65]);
    expect(lengths(5000)).toEqual([...times(12, 384), 256, 136]);
  });

  test("are even when they are long, or all but a rest is", () => {
    expect(lengths(7000)).toEqual([...times(7, 512), ...times(8, 384), 344]);
    expect(lengths(8192)).toEqual(times(16, 512));
    expect(lengths(8200)).toEqual([...times(16, 512), 8]);
    expect(lengths(8321)).toEqual([...times(2, 640), ...times(13, 512), 385]);
  });
});

test("one of attention's kernels runs at every position", () => {
  for (const cacheLength of [64, 4096, 8320]) {
    const shape = { ...LLAMA_1B, cacheLength, cacheType: "f16", scale: 1, rows: "one" } as const;
    const { dispatches } = sdpaPartialsTunable(
      { ...shape, append: false },
      GPU,
    ).candidates[0].route();
    expect(dispatches.length).toBe(cacheLength > 4096 ? 2 : 1);
    const seen = new Set<number>();
    for (let position = 0; position < cacheLength; position += 7) {
      const running = dispatches.flatMap(({ grid }, i) =>
        grid({ S: 1, position }).includes(0) ? [] : [i],
      );
      expect(running.length).toBe(1);
      seen.add(running[0]!);
    }
    expect(seen.size).toBe(dispatches.length);
  }
});
