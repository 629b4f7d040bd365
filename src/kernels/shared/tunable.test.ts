import { describe, expect, test } from "vitest";
import { GPU } from "../../../tests/support/gpu-record.ts";
import { restrictCapabilities } from "../../gpu/capabilities.ts";
import type { Capabilities } from "../../gpu/capabilities.ts";
import { linearDq8caQ4gswTunable } from "../linear_dq8ca_q4gsw/linear-dq8ca-q4gsw.ts";
import { linearQ4gswTunable } from "../linear_q4gsw/linear-q4gsw.ts";
import { linearQcs4wTunable } from "../linear_qcs4w/linear-qcs4w.ts";
import { attentionLinearAddTunable } from "../row_projection_q4gsw/attention-linear-add.ts";
import {
  linearAddLimbsTunable,
  projectsToLimbs,
  swigluLimbsTunable,
} from "../row_projection_q4gsw/row-groups.ts";
import {
  normLinearTunable,
  qkvTunable,
  swigluTunable,
} from "../row_projection_q4gsw/row-projection-q4gsw.ts";
import { sdpaWithKvCacheTunable } from "../sdpa_with_kv_cache/sdpa-with-kv-cache.ts";
import { candidateNamed, variantName, variantsOf } from "./tunable.ts";
import type { Tunable } from "./tunable.ts";

const row = { K: 2048, groupSize: 32, scaleType: "f16" } as const;
const linear = { ...row, N: 512, hasBias: false, rows: "one" } as const;
const attention = {
  heads: 32,
  kvHeads: 8,
  headSize: 64,
  cacheLength: 4096,
  cacheType: "f16",
  scale: 0.125,
  rows: "one",
} as const;
const limbs = { ...row, N: 512, input: "limbs" } as const;
const { heads, kvHeads, headSize, cacheLength } = attention;
const attentionOutput = {
  ...row,
  heads,
  kvHeads,
  headSize,
  cacheLength,
  N: 2048,
  cacheType: "f16",
} as const;
const norm = { epsilon: 1e-5 };

/** Every operator with a choice, and shapes of it that may differ in which is best. */
const TUNABLES: Readonly<
  Record<string, (capabilities: Capabilities) => readonly Pick<Tunable<never>, "key">[]>
> = {
  linear_q4gsw: (gpu) => [
    linearQ4gswTunable(linear, gpu),
    linearQ4gswTunable({ ...linear, N: 513 }, gpu),
    linearQ4gswTunable({ ...linear, K: 4096 }, gpu),
    linearQ4gswTunable({ ...linear, groupSize: 64 }, gpu),
    linearQ4gswTunable({ ...linear, scaleType: "f32" }, gpu),
    linearQ4gswTunable({ ...linear, hasBias: true }, gpu),
    linearQ4gswTunable({ ...linear, hasResidual: true }, gpu),
    linearQ4gswTunable({ ...linear, rows: "many", maxM: 512 }, gpu),
    linearQ4gswTunable({ ...linear, rows: "many", maxM: 128 }, gpu),
    linearQcs4wTunable(linear, gpu),
    linearDq8caQ4gswTunable({ ...linear, maxM: 1 }, gpu),
  ],
  row_projection_q4gsw: (gpu) => [
    normLinearTunable({ ...row, N: 512 }, gpu),
    normLinearTunable({ ...row, N: 512, norm }, gpu),
    swigluTunable({ ...row, N: 512, norm }, gpu),
    swigluTunable({ ...row, N: 512 }, gpu),
    qkvTunable({ ...row, rows: [512, 512, 512], joined: true }, gpu),
    qkvTunable({ ...row, rows: [1024, 256, 256], norm, joined: true }, gpu),
  ],
  row_projection_to_limbs: (gpu) =>
    projectsToLimbs(limbs, gpu)
      ? [
          swigluLimbsTunable(limbs, gpu),
          swigluLimbsTunable({ ...limbs, norm }, gpu),
          linearAddLimbsTunable(limbs, gpu),
          linearAddLimbsTunable({ ...limbs, nextNorm: true }, gpu),
          linearAddLimbsTunable({ ...limbs, input: "f32" }, gpu),
          attentionLinearAddTunable(attentionOutput, gpu),
          attentionLinearAddTunable({ ...attentionOutput, cacheLength: 512 }, gpu),
          attentionLinearAddTunable({ ...attentionOutput, kvHeads: 4 }, gpu),
          attentionLinearAddTunable({ ...attentionOutput, cacheType: "f32" }, gpu),
        ]
      : [],
  sdpa_with_kv_cache: (gpu) => [
    sdpaWithKvCacheTunable(attention, gpu),
    sdpaWithKvCacheTunable({ ...attention, heads: 16 }, gpu),
    sdpaWithKvCacheTunable({ ...attention, kvHeads: 4 }, gpu),
    sdpaWithKvCacheTunable({ ...attention, headSize: 128 }, gpu),
    sdpaWithKvCacheTunable({ ...attention, cacheLength: 512 }, gpu),
    sdpaWithKvCacheTunable({ ...attention, cacheType: "f32" }, gpu),
    sdpaWithKvCacheTunable({ ...attention, rows: "many", maxS: 512 }, gpu),
  ],
};

const DEVICES: Readonly<Record<string, Capabilities>> = {
  "a discrete GPU": GPU,
  "no subgroups": restrictCapabilities(GPU, { subgroups: false }),
  "subgroups of 4 to 128": { ...GPU, subgroups: { minSize: 4, maxSize: 128 } },
  "small workgroups": restrictCapabilities(GPU, {
    limits: { maxComputeInvocationsPerWorkgroup: 128, maxComputeWorkgroupSizeX: 128 },
  }),
};

describe.each(Object.entries(TUNABLES))("%s", (_, tunables) => {
  test("has a key of its own for every shape", () => {
    const keys = tunables(GPU).map(({ key }) => key);
    expect(new Set(keys).size).toBe(keys.length);
  });

  test("has the same key on every device", () => {
    const keys = tunables(GPU).map(({ key }) => key);
    for (const capabilities of Object.values(DEVICES)) {
      const found = tunables(capabilities).map(({ key }) => key);
      // Some devices have no routes of this kind.
      if (found.length > 0) expect(found).toEqual(keys);
    }
  });

  test.each(Object.entries(DEVICES))("has a name for every candidate on %s", (_, capabilities) => {
    for (const { candidates } of tunables(capabilities) as readonly Tunable<never>[]) {
      const names = candidates.map(({ name }) => name);
      expect(new Set(names).size).toBe(names.length);
      for (const { route } of candidates) expect(route().dispatches.length).toBeGreaterThan(0);
    }
  });
});

test("a CPU has no choice", () => {
  const software = restrictCapabilities(GPU, { software: true });
  expect(linearQ4gswTunable(linear, software).candidates.length).toBe(1);
  expect(linearQ4gswTunable(linear, GPU).candidates.length).toBeGreaterThan(1);
});

test("variants: the preferred first, then the most alike", () => {
  const variants = variantsOf({ way: "a", size: 2 }, { way: ["a", "b"], size: [1, 2, 4] });
  expect(variants.map(variantName)).toEqual([
    "a/size2",
    "a/size1",
    "a/size4",
    "b/size2",
    "b/size1",
    "b/size4",
  ]);
});

test("a name that is not there any more means the default", () => {
  const tunable = linearQ4gswTunable(linear, GPU);
  const [first, second] = tunable.candidates;
  expect(candidateNamed(tunable, second?.name)).toBe(second);
  expect(candidateNamed(tunable, "toString")).toBe(first);
  expect(candidateNamed(tunable, undefined)).toBe(first);
});
