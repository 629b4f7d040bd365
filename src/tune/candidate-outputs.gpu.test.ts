import { beforeAll, expect, test } from "vitest";
import { requestTestDevice } from "../../tests/support/gpu.ts";
import type { GpuDevice } from "../gpu/device.ts";
import type { DispatchTemplate, Route } from "../gpu/kernel.ts";
import type { TunableCall } from "../graph/tuning.ts";
import { LIMBS } from "../kernels/shared/tunable.ts";
import type { Candidate, Tunable } from "../kernels/shared/tunable.ts";
import { normLinearChoiceTunable } from "../kernels/row_projection_q4gsw/linear-choice.ts";
import { normLinearTunable } from "../kernels/row_projection_q4gsw/row-projection-q4gsw.ts";
import { updateCache } from "../kernels/update_cache/update-cache.ts";
import { LIMB_BLOCK_BYTES } from "../quant/int8-limbs.ts";
import { altered } from "./altered.test-support.ts";
import { Deadline } from "./deadline.ts";
import { tuneCall } from "./tune-call.ts";

const TOLERANCE = { absolute: 1e-4, relative: 1e-3 };

let gpu: GpuDevice;
beforeAll(async () => {
  gpu = await requestTestDevice({ restrict: { software: false } });
});

/** Names of candidates that were found wrong. */
async function wrongOnes(call: TunableCall): Promise<(string | undefined)[]> {
  const { warnings } = await tuneCall(gpu, call, new Deadline(60_000));
  return warnings.map((warning) => /call: (.*?) is not used/.exec(warning)?.[1]);
}

const same = (candidate: Candidate<unknown>): Candidate<unknown> => ({
  ...candidate,
  name: "same",
});

test("a cache that a call writes is compared, at either end", async () => {
  const [heads, headSize, cacheLength] = [2, 64, 1024];
  const shape = { heads, headSize, cacheLength, cacheType: "f32" } as const;
  const right: Candidate<unknown> = {
    name: "right",
    route: () => updateCache(shape, gpu.capabilities) as Route<unknown>,
  };
  const row = 4 * heads * headSize;
  const call = {
    tunable: {
      key: "call",
      candidates: [
        right,
        altered(right, "writes nothing", (wgsl) => wgsl.replace("= value[index]", "+= 0.0")),
        altered(right, "only at the front", (wgsl) =>
          wgsl.replace("position >= params.cache_length", "position > 0u"),
        ),
        same(right),
      ],
      trials: [0, cacheLength - 1].map((position) => ({
        live: { S: 1 },
        ints: { input_pos: position },
      })),
      tolerance: TOLERANCE,
    },
    operands: {
      cache: { kind: "state", dtype: "f32", bytes: row * cacheLength },
      value: { kind: "activation", dtype: "f32", bytes: row },
      input_pos: { kind: "input", dtype: "i32", bytes: 4 },
    },
    count: 1,
  } as const;
  expect(await wrongOnes(call as unknown as TunableCall)).toEqual([
    "writes nothing",
    "only at the front",
  ]);
});

test("encoded operands are made and compared as the numbers they stand for", async () => {
  const K = 256;
  const shape = { K, N: 8, groupSize: 32, scaleType: "f16" } as const;
  const all = normLinearTunable(shape, gpu.capabilities);
  const limbs = all.candidates.find(({ name }) => name.startsWith("limbs"));
  if (limbs === undefined) return;
  const [write] = limbs.route().dispatches as [DispatchTemplate<unknown>];
  const right: Candidate<unknown> = {
    name: "right",
    route: () => ({ name: "write_limbs", scratch: {}, dispatches: [write] }),
  };
  const call: TunableCall = {
    tunable: {
      key: "call",
      candidates: [
        right,
        altered(right, "twice as large", (wgsl) =>
          wgsl.replace("select(stored_scale,", "select(2.0 * stored_scale,"),
        ),
        same(right),
      ],
      trials: [{ live: {} }],
      tolerance: TOLERANCE,
      encodings: { limbs: LIMBS },
    },
    operands: {
      x: { kind: "activation", dtype: "f32", bytes: 4 * K },
      limbs: { kind: "activation", dtype: "u8", bytes: (K / 32) * LIMB_BLOCK_BYTES },
    },
    count: 1,
  };
  expect(await wrongOnes(call)).toEqual(["twice as large"]);
});

test.each(["greedy", "sampled"] as const)(
  "a %s choice is not compared, the numbers are",
  async (mode) => {
    const [K, N, historyLength] = [256, 64, 8];
    const shape = { K, N, groupSize: 32, scaleType: "f32", mode, historyLength } as const;
    if (gpu.capabilities.subgroups === undefined) return;
    const tunable = normLinearChoiceTunable(shape, gpu.capabilities) as Tunable<unknown>;
    const [right] = tunable.candidates;
    const state = (bytes: number) => ({ kind: "state", dtype: "i32", bytes }) as const;
    const call: TunableCall = {
      tunable: {
        ...tunable,
        key: "call",
        candidates: [
          right,
          altered(right, "another token", (wgsl) =>
            wgsl.replace("i32(chosen);", "i32(chosen) + 1;"),
          ),
          altered(right, "other logits", (wgsl) => wgsl.replace("= logit;", "= 2.0 * logit;")),
          same(right),
        ],
      },
      operands: {
        x: { kind: "activation", dtype: "f32", bytes: 4 * K },
        weight: { kind: "constant", dtype: "u8", bytes: (N * K) / 2 },
        scales: { kind: "constant", dtype: "f32", bytes: (N * K) / 8 },
        out: { kind: "activation", dtype: "f32", bytes: 4 * N },
        sampling: state(64),
        seen: state(N / 8),
        input_pos: { kind: "input", dtype: "i32", bytes: 4 },
        token: state(4),
        history: state(4 * historyLength),
      },
      count: 1,
    };
    expect(await wrongOnes(call)).toEqual(["other logits"]);
  },
);
