import { beforeAll, describe, expect, test } from "vitest";
import { requestTestDevice } from "../../tests/support/gpu.ts";
import type { CapabilityOverrides } from "../gpu/capabilities.ts";
import type { GpuDevice } from "../gpu/device.ts";
import type { OperandSize, TunableCall } from "../graph/tuning.ts";
import { linearQ4gswTunable } from "../kernels/linear_q4gsw/linear-q4gsw.ts";
import { normLinearTunable } from "../kernels/row_projection_q4gsw/row-projection-q4gsw.ts";
import type { Candidate, Tunable } from "../kernels/shared/tunable.ts";
import { sdpaWithKvCacheTunable } from "../kernels/sdpa_with_kv_cache/sdpa-with-kv-cache.ts";
import { tuneCall } from "./tune-call.ts";
import { altered } from "./altered.test-support.ts";
import { Deadline } from "./deadline.ts";
import { tuneCalls } from "./tune-calls.ts";

const [N, K] = [96, 256];
const SHAPE = { N, K, groupSize: 32, scaleType: "f16", hasBias: false, rows: "one" } as const;

const size = (kind: OperandSize["kind"], dtype: OperandSize["dtype"], bytes: number) => ({
  kind,
  dtype,
  bytes,
});

/** A GEMV with a few of its candidates, and others that are no good. */
function gemv(gpu: GpuDevice, strangers: readonly Candidate<unknown>[] = []): TunableCall {
  const tunable = linearQ4gswTunable(SHAPE, gpu.capabilities) as Tunable<unknown>;
  const [first, ...others] = tunable.candidates;
  return {
    tunable: { ...tunable, candidates: [first, ...strangers, ...others.slice(0, 2)] },
    operands: {
      x: size("activation", "f32", 4 * K),
      weight: size("constant", "u8", (N * K) / 2),
      scales: size("constant", "f16", (2 * N * K) / 32),
      out: size("activation", "f32", 4 * N),
    },
    count: 1,
  };
}

/** The default with its shader changed. */
const alteredGemv = (gpu: GpuDevice, name: string, change: (wgsl: string) => string) =>
  altered(gemv(gpu).tunable.candidates[0], name, change);

const OFF_BY_ONE = (wgsl: string) => wgsl.replace("- 8.0", "- 7.0");
const UNWRITTEN = (wgsl: string) =>
  wgsl.replace("out[at] = value", "if (n > 0u) { out[at] = value; }");
const NO_WGSL = (wgsl: string) => `${wgsl}\nthis is no WGSL`;

async function device(restrict: CapabilityOverrides = {}) {
  return requestTestDevice({ restrict: { software: false, ...restrict } });
}

const plenty = () => new Deadline(60_000);

describe.each<[string, CapabilityOverrides]>([
  ["timestamps", {}],
  ["a wall clock", { timestamps: false }],
])("measuring by %s", (_, restrict) => {
  let gpu: GpuDevice;
  beforeAll(async () => {
    gpu = await device(restrict);
  });

  test("chooses one of the candidates and frees its memory", async () => {
    const before = gpu.allocatedBytes;
    const call = gemv(gpu);
    const result = await tuneCall(gpu, call, plenty());
    expect(call.tunable.candidates.map(({ name }) => name)).toContain(result.choice);
    expect(result.warnings).toEqual([]);
    expect(result.timesNs.get(result.defaultName)).toBeGreaterThan(0);
    expect(result.timesNs.get(result.choice ?? "")).toBeGreaterThan(0);
    expect(gpu.allocatedBytes).toBe(before);
  });

  test("never chooses what is wrong, and says so", async () => {
    const strangers = [
      // Right after the default, whose results must not be taken for its own.
      alteredGemv(gpu, "unwritten", UNWRITTEN),
      alteredGemv(gpu, "wrong", OFF_BY_ONE),
      alteredGemv(gpu, "no wgsl", NO_WGSL),
    ];
    const { timesNs, warnings } = await tuneCall(gpu, gemv(gpu, strangers), plenty());
    const found = warnings.map((warning) => /M=1: (.*?) is not used/.exec(warning)?.[1]);
    expect(new Set(found)).toEqual(new Set(["wrong", "unwritten", "no wgsl"]));
    for (const { name } of strangers) expect(timesNs.has(name)).toBe(false);
  });
});

describe("measuring", () => {
  let gpu: GpuDevice;
  beforeAll(async () => {
    gpu = await device();
  });

  test("a wrong default is told loudly and replaced", async () => {
    const call = gemv(gpu);
    const [, ...others] = call.tunable.candidates;
    const wrong = alteredGemv(gpu, "default", OFF_BY_ONE);
    const tunable = { ...call.tunable, candidates: [wrong, ...others] as const };
    const result = await tuneCall(gpu, { ...call, tunable }, plenty());
    expect(result.warnings).toEqual([expect.stringContaining("THE DEFAULT KERNEL IS WRONG")]);
    expect(others.map(({ name }) => name)).toContain(result.choice);
  });

  test("ways that round differently agree: the random values suit the tolerances", async () => {
    const [N, K] = [256, 4096];
    const shape = { N, K, groupSize: 32, scaleType: "f16", norm: { epsilon: 1e-5 } } as const;
    const all = normLinearTunable(shape, gpu.capabilities);
    const [first, ...others] = all.candidates;
    const different = ["f32/", "separate"].flatMap((way) =>
      others.filter(({ name }) => name.startsWith(way)).slice(0, 1),
    );
    const tunable = { ...all, candidates: [first, ...different] } as const;
    const operands = {
      x: size("activation", "f32", 4 * K),
      norm: size("constant", "f32", 4 * K),
      weight: size("constant", "u8", (N * K) / 2),
      scales: size("constant", "f16", (2 * N * K) / 32),
      out: size("activation", "f32", 4 * N),
    };
    const { warnings } = await tuneCall(
      gpu,
      { tunable: tunable as Tunable<unknown>, operands, count: 1 },
      plenty(),
    );
    expect(warnings).toEqual([]);
    expect(tunable.candidates.length).toBeGreaterThan(1);
  });

  test("attention, at several positions of a cache that it writes", async () => {
    const shape = { heads: 2, kvHeads: 1, headSize: 16, cacheLength: 64, scale: 0.25 } as const;
    const all = sdpaWithKvCacheTunable(
      { ...shape, cacheType: "f32", rows: "one" },
      gpu.capabilities,
    );
    const [first, second] = all.candidates;
    if (second === undefined) throw new Error("there is a choice");
    const cache = size("state", "f32", 4 * 64 * 16);
    const tunable = { ...all, candidates: [first, second] as const } as Tunable<unknown>;
    const operands = {
      q: size("activation", "f32", 4 * 2 * 16),
      k: size("activation", "f32", 4 * 16),
      v: size("activation", "f32", 4 * 16),
      k_cache: cache,
      v_cache: cache,
      input_pos: size("input", "i32", 4),
      out: size("activation", "f32", 4 * 2 * 16),
    };
    const before = gpu.allocatedBytes;
    const { warnings, choice } = await tuneCall(gpu, { tunable, operands, count: 1 }, plenty());
    expect(gpu.allocatedBytes).toBe(before);
    expect(warnings).toEqual([]);
    expect([first.name, second.name]).toContain(choice);
  });

  test("ends with its time: what is left keeps its default, and so does what took it all", async () => {
    const call = gemv(gpu);
    const second = { ...call, tunable: { ...call.tunable, key: "second" } };
    const choices = async (budgetMs: number) =>
      (await tuneCalls(gpu, [call, second], { budgetMs })).map(({ choice }) => choice);
    expect(await choices(0)).toEqual([undefined, undefined]);
    expect(await choices(20)).toEqual([call.tunable.candidates[0].name, undefined]);
  });

  test("stops with the signal's reason, and frees its memory", async () => {
    const before = gpu.allocatedBytes;
    const controller = new AbortController();
    const work = tuneCalls(gpu, [gemv(gpu)], {
      signal: controller.signal,
      onCall: () => controller.abort(new Error("enough")),
    });
    await expect(work).rejects.toThrow("enough");
    expect(gpu.allocatedBytes).toBe(before);
  });

  test("what the device cannot hold is told, and no reason to fail", async () => {
    const call = gemv(gpu);
    const huge = size("constant", "u8", 2 * gpu.capabilities.limits.maxBufferSize);
    const operands = { ...call.operands, weight: huge };
    const [result] = await tuneCalls(gpu, [{ ...call, operands }]);
    expect(result?.warnings[0]).toMatch(/not measured: gpu: buffer "tune.weight" needs/);
  });
});
