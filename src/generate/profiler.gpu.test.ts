import { beforeAll, describe, expect, test } from "vitest";
import { requestTestDevice } from "../../tests/support/gpu.ts";
import { tinyCheckpoint } from "../../tests/support/tiny-checkpoint.ts";
import { GpuDevice } from "../gpu/device.ts";
import { workgroupSize } from "../gpu/workgroup-size.ts";
import type { Plan } from "../graph/plan.ts";
import { buildModel } from "../models/index.ts";
import type { ProfiledRun } from "../profile/profile.ts";
import { DecoderSession } from "./decoder-session.ts";
import type { DecodeRequest } from "./decoder-session.ts";

const PROMPT = [3, 17, 5, 99, 42, 7, 128, 0, 64];
const CHUNK = 4;
const STEPS = 5;

async function open(gpu: GpuDevice): Promise<DecoderSession> {
  const decoder = await buildModel(tinyCheckpoint({ architecture: "llama" }), {
    contextLength: 32,
    maxSequenceLength: CHUNK,
    cacheType: "f16",
  });
  return DecoderSession.load(gpu, decoder);
}

async function collect(session: DecoderSession, request: Partial<DecodeRequest> = {}) {
  const tokens: number[] = [];
  const whole = { prompt: PROMPT, maxTokens: 1 + STEPS, reuseCache: false, ...request };
  for await (const token of session.decode(whole)) tokens.push(token);
  return tokens;
}

async function profile(session: DecoderSession, request: Partial<DecodeRequest> = {}) {
  const profiler = session.createProfiler();
  if (profiler === undefined) throw new Error("this adapter has no timestamps");
  try {
    const tokens = await collect(session, { ...request, profiler });
    return { tokens, runs: await profiler.finish() };
  } finally {
    profiler.dispose();
  }
}

let gpu: GpuDevice;
beforeAll(async () => {
  gpu = await requestTestDevice();
});

describe("Profiler", () => {
  function expectPlan({ records }: ProfiledRun, plan: Plan): void {
    expect(records.map(({ kernel }) => kernel)).toEqual(plan.dispatches.map(({ label }) => label));
    expect(records.map(({ workgroup }) => workgroup)).toEqual(
      plan.dispatches.map(({ kernel }) => workgroupSize(kernel)),
    );
    for (const { durationNs, grid } of records) {
      expect(durationNs).toBeGreaterThanOrEqual(0);
      expect(Math.min(...grid)).toBeGreaterThanOrEqual(1);
    }
  }

  test("has a record of every dispatch of every run, in order", async () => {
    const session = await open(gpu);
    const { plans } = session;
    const { runs } = await profile(session);
    expect(runs.map(({ phase, position, tokens }) => [phase, position, tokens])).toEqual([
      ["prefill", 0, 4],
      ["prefill", 4, 4],
      ["prefill", 8, 1],
      ...Array.from({ length: STEPS }, (_, step) => ["decode", 9 + step, 1]),
    ]);
    const expected = [plans.fill, plans.fill, ...runs.slice(2).map(() => plans.step.greedy)];
    for (const [index, run] of runs.entries()) expectPlan(run, expected[index]!);
    const records = runs.flatMap((run) => run.records);
    expect(records.map(({ index }) => index)).toEqual(records.map((_, index) => index));
    const total = records.reduce((sum, { durationNs }) => sum + durationNs, 0);
    expect(total).toBeGreaterThan(0);
    // Together not longer than from the first begin to the last end.
    expect(total).toBeLessThanOrEqual(Math.max(...records.map(({ endNs }) => endNs)));
    await session.dispose();
  });

  test("does not change the tokens, greedy or sampled, nor memory", async () => {
    const session = await open(gpu);
    for (const sampling of [{}, { temperature: 1, seed: 3 }]) {
      const expected = await collect(session, { sampling });
      const before = gpu.allocatedBytes;
      expect((await profile(session, { sampling })).tokens).toEqual(expected);
      expect(gpu.allocatedBytes).toBe(before);
      expect(await collect(session, { sampling })).toEqual(expected);
    }
    await session.dispose();
  });

  test("ends with an aborted request, and the session can be used again", async () => {
    const session = await open(gpu);
    const expected = await collect(session);
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(profile(session, { signal })).rejects.toThrow("enough");
    expect(await collect(session)).toEqual(expected);
    await session.dispose();
  });

  test("is not offered where timestamps are restricted away", async () => {
    const restricted = await requestTestDevice({ restrict: { timestamps: false } });
    expect(restricted.capabilities.timestamps).toBe(false);
    const session = await open(restricted);
    expect(session.createProfiler()).toBeUndefined();
    expect((await collect(session)).length).toBe(1 + STEPS);
    await session.dispose();
  });
});

/** A call as text: objects of the GPU by label, without the number of a readback's slot. */
function callText(name: string, args: readonly unknown[]): string {
  const shown = args.map((argument) => {
    if (typeof argument !== "object" || argument === null) return String(argument);
    const { label, timestampWrites } = argument as Partial<GPUComputePassDescriptor>;
    const timed = timestampWrites === undefined ? "" : " with timestamps";
    return `${(label ?? "").replace(/(tokens)\.\d+$/, "$1")}${timed}`;
  });
  return `${name}(${shown.join(", ")})`;
}

/** The object itself, with every call of a method noted on its way. */
function recorded<T extends object>(target: T, calls: string[]): T {
  return new Proxy(target, {
    get(_, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      return (...args: unknown[]): unknown => {
        calls.push(callText(String(name), args));
        const result: unknown = Reflect.apply(value, target, args);
        return name === "beginComputePass" ? recorded(result as object, calls) : result;
      };
    },
  });
}

/** The same device; what its command encoders and their passes are asked goes to `calls`. */
function recordedDevice({ device, capabilities }: GpuDevice, calls: string[]): GpuDevice {
  const proxy = new Proxy(device, {
    get(_, name) {
      const value: unknown = Reflect.get(device, name, device);
      if (typeof value !== "function") return value;
      return (...args: unknown[]): unknown => {
        const result: unknown = Reflect.apply(value, device, args);
        return name === "createCommandEncoder" ? recorded(result as object, calls) : result;
      };
    },
  });
  return new GpuDevice(proxy, capabilities, false);
}

describe("without a profiler the recorded commands", () => {
  test("are the same whether one exists, or existed, or not", async () => {
    const calls: string[] = [];
    const session = await open(recordedDevice(gpu, calls));
    const commands = async (decode: () => Promise<unknown>) => {
      calls.length = 0;
      await decode();
      return [...calls];
    };
    const plain = await commands(() => collect(session));
    const profiler = session.createProfiler();
    expect(await commands(() => collect(session))).toEqual(plain);
    profiler?.dispose();
    const profiled = await commands(() => profile(session));
    expect(profiled).not.toEqual(plain);
    expect(await commands(() => collect(session))).toEqual(plain);

    const dispatches = (list: readonly string[]) =>
      list.filter((call) => call.startsWith("dispatchWorkgroups"));
    const passes = (list: readonly string[]) =>
      list.filter((call) => call.startsWith("beginComputePass"));
    // Three chunks of the prompt and the steps: a pass each, and no timestamps anywhere.
    expect(passes(plain).length).toBe(3 + STEPS);
    expect(plain.join()).not.toMatch(/timestamps|resolveQuerySet/);
    // Profiled: the same dispatches, each in a pass of its own.
    expect(dispatches(profiled)).toEqual(dispatches(plain));
    expect(passes(profiled).length).toBe(dispatches(plain).length);
    expect(passes(profiled).every((call) => call.includes("with timestamps"))).toBe(true);
    await session.dispose();
  });

  test("of a step are one pass and the token's way back", async () => {
    const calls: string[] = [];
    const session = await open(recordedDevice(gpu, calls));
    await collect(session, { maxTokens: 1, prompt: [1] });
    const { dispatches } = session.plans.step.greedy;
    const names = calls.map((call) => call.replace(/\(.*/, ""));
    const bound = dispatches.flatMap(({ kernel, constantParams }, index) => {
      const { source, overrides } = kernel;
      const before = dispatches[index - 1]?.kernel;
      const same =
        before?.source === source && JSON.stringify(before.overrides) === JSON.stringify(overrides);
      const live = constantParams === undefined && kernel.params.length > 0;
      return [
        ...(same ? [] : ["setPipeline"]),
        "setBindGroup",
        ...(live ? ["setImmediates"] : []),
        "dispatchWorkgroups",
      ];
    });
    expect(names).toEqual(["beginComputePass", ...bound, "end", "copyBufferToBuffer", "finish"]);
    await session.dispose();
  });
});
