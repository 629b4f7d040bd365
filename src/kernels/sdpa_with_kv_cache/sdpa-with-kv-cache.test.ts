import { describe, expect, test } from "vitest";
import { GPU } from "../../../tests/support/gpu-record.ts";
import { UnsupportedError } from "../../errors.ts";
import { sdpaPartialsTunable, sdpaWithKvCache } from "./sdpa-with-kv-cache.ts";
import type { SdpaShape } from "./sdpa-with-kv-cache.ts";

const SHAPE: SdpaShape = {
  heads: 8,
  kvHeads: 2,
  headSize: 64,
  cacheLength: 128,
  cacheType: "f32",
  scale: 0.125,
  rows: "many",
};

const planning = (shape: Partial<SdpaShape>) => () => sdpaWithKvCache({ ...SHAPE, ...shape }, GPU);

describe("sdpa_with_kv_cache refuses", () => {
  test.each([6, 0, -4, 2, 260, 64.5])("a head size of %d", (headSize) => {
    for (const rows of ["one", "many"] as const) {
      expect(planning({ headSize, rows })).toThrow(UnsupportedError);
    }
    expect(planning({ headSize })).toThrow(
      `sdpa_with_kv_cache: head size ${headSize}; supported: multiples of 4 up to 256`,
    );
  });

  test.each([
    [10, 4],
    [2, 8],
    [0, 2],
    [8, 0],
  ])("%d query heads for %d key heads", (heads, kvHeads) => {
    expect(planning({ heads, kvHeads })).toThrow(UnsupportedError);
    expect(planning({ heads, kvHeads })).toThrow(
      `${heads} query heads for ${kvHeads} key heads; supported: multiples`,
    );
  });

  test("more rows than one where there is only ever one", () => {
    expect(planning({ rows: "one", maxS: 5 })).toThrow(UnsupportedError);
    expect(planning({ rows: "one", maxS: 5 })).toThrow(/up to 5 rows on the route for one/);
  });
});

test("sdpa_with_kv_cache takes what lies just inside", () => {
  for (const shape of [{ headSize: 4 }, { headSize: 256 }, { heads: 2 }, { maxS: 5 }]) {
    expect(planning(shape)).not.toThrow();
  }
  expect(planning({ rows: "one", maxS: 1 })).not.toThrow();
});

test.each([
  [8, 64, "lanes256/team8/depth2"],
  [8, 128, "lanes256/team16/depth4"],
  // Five heads are more than eight quads, and leave registers for three positions: there are kernels for two.
  [10, 128, "lanes128/team16/depth2"],
  [8, 32, "lanes256/team4/depth1"],
])("one row of %i heads of %i is laid out for what a lane can hold", (heads, headSize, name) => {
  const shape = { ...SHAPE, heads, headSize, rows: "one", append: false } as const;
  expect(sdpaPartialsTunable(shape, GPU).candidates[0].name).toBe(name);
});

test("a lane that has to hold more of a head has fewer beside it", () => {
  const narrow = { ...GPU, subgroups: { minSize: 8, maxSize: 8 } };
  const shape = { ...SHAPE, headSize: 128, rows: "one", append: false } as const;
  expect(sdpaPartialsTunable(shape, narrow).candidates[0].name).toBe("lanes128/team8/depth2");
});
