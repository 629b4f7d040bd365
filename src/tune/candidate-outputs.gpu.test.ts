import { beforeAll, expect, test } from "vitest";
import { requestTestDevice } from "../../tests/support/gpu.ts";
import type { GpuDevice } from "../gpu/device.ts";
import type { DispatchTemplate, Route } from "../gpu/kernel.ts";
import type { TunableCall } from "../graph/tuning.ts";
import { LIMBS } from "../kernels/shared/tunable.ts";
import type { Candidate } from "../kernels/shared/tunable.ts";
import { normLinearTunable } from "../kernels/row_projection_q4gsw/row-projection-q4gsw.ts";
import { updateCache } from "../kernels/update_cache/update-cache.ts";
import { LIMB_GROUP_BYTES } from "../quant/int8-limbs.ts";
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
          wgsl.replace("bitcast<u32>(words.scale)", "bitcast<u32>(2.0 * words.scale)"),
        ),
        same(right),
      ],
      trials: [{ live: {} }],
      tolerance: TOLERANCE,
      encodings: { limbs: LIMBS },
    },
    operands: {
      x: { kind: "activation", dtype: "f32", bytes: 4 * K },
      limbs: { kind: "activation", dtype: "u8", bytes: (K / 32) * LIMB_GROUP_BYTES },
    },
    count: 1,
  };
  expect(await wrongOnes(call)).toEqual(["twice as large"]);
});
