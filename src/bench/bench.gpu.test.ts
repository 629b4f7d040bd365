import { expect, test } from "vitest";
import { requestTestDevice } from "../../tests/support/gpu.ts";
import { buildModel } from "../models/index.ts";
import { runBench } from "./bench.ts";
import type { BenchOptions, BenchSubject } from "./options.ts";
import { randomCheckpoint } from "./random-checkpoint.ts";
import type { BenchReport } from "./report.ts";
import { modelShape } from "./shapes.ts";

const OPTIONS: BenchOptions = {
  prompts: [40],
  contexts: [8, 33],
  tokens: 4,
  runs: 2,
  warmUps: 1,
  coldRuns: 2,
  kernels: true,
  checkUpTo: 8,
  cacheType: "f16",
  small: true,
  tune: false,
};

const shape = modelShape("tiny");

/** The shape with random weights; the first builds have those of `seed`. */
function subjectWith(seed: string, builds: number): BenchSubject {
  let left = builds;
  return {
    name: shape.name,
    architecture: shape.architecture,
    parameters: 1,
    randomWeights: true,
    contextLength: 64,
    build: (options) => buildModel(randomCheckpoint(shape, left-- > 0 ? seed : ""), options),
  };
}

const warnings: string[] = [];

function bench(subject: BenchSubject, options: Partial<BenchOptions> = {}): Promise<BenchReport> {
  return runBench(
    { ...OPTIONS, ...options },
    {
      // With the kernels of a GPU, whatever the adapter.
      openDevice: () =>
        requestTestDevice({ restrict: { software: false, subgroupMatrices: false } }),
      openSubject: () => Promise.resolve(subject),
      versions: { tetrad: "0" },
      dawnFeatures: [],
      residentBytes: () => 1,
      onProgress: () => {},
      onWarning: (message) => warnings.push(message),
    },
  );
}

const failed = ({ checks }: BenchReport) =>
  checks.filter(({ passed }) => !passed).map(({ what }) => what);

test("measures everything that was asked for, and every check passes", async () => {
  const report = await bench(subjectWith("", 0));
  expect(failed(report)).toEqual([]);
  const { ceilings, coldStarts, prefill, decode, model } = report;
  expect(ceilings.read.bytesPerSecond.runs.length).toBe(OPTIONS.runs);
  expect(ceilings.arithmetic.map(({ unit }) => unit)).toContain("f32");
  expect(coldStarts.length).toBe(2);
  expect(coldStarts[0]).toMatchObject({ promptTokens: 8, peakBytes: 0 });
  expect(model).toMatchObject({ name: "tiny", contextLength: 64, promptChunk: 64 });
  expect(prefill.map(({ promptTokens }) => promptTokens)).toEqual([40]);
  expect(decode.map(({ context }) => context)).toEqual([8, 33]);
  for (const { tokensPerSecond, cpuMs, gpuMs, kernels, dispatches, firstTokens } of decode) {
    for (const measured of [tokensPerSecond, cpuMs, gpuMs]) {
      expect(measured?.runs.length).toBe(OPTIONS.runs);
      expect(measured?.median).toBeGreaterThan(0);
    }
    expect(kernels.reduce((sum, { calls }) => sum + calls, 0)).toBe(dispatches);
    expect(kernels.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1);
    expect(firstTokens.length).toBe(4);
  }
  // What the plans say is what was dispatched.
  for (const { kernels, dispatches } of prefill) {
    expect(kernels.reduce((sum, { calls }) => sum + calls, 0)).toBe(dispatches);
  }
  // A longer context moves more bytes, by the caches' rows.
  const { layers, kvHeads, headSize } = shape.hyperparameters;
  const rows = (decode[1]?.bytes ?? 0) - (decode[0]?.bytes ?? 0);
  expect(rows).toBeGreaterThanOrEqual(2 * 2 * layers * kvHeads * headSize * (33 - 8));
});

test("samples where it is told to: the same tokens again, and what the filters take", async () => {
  const sampling = { temperature: 1.5, topP: 0.9, seed: 3 };
  const report = await bench(subjectWith("", 0), { sampling, contexts: [8], coldRuns: 1 });
  expect(failed(report)).toEqual([]);
  expect(report.method.sampling).toEqual(sampling);
  const greedy = await bench(subjectWith("", 0), { contexts: [8], coldRuns: 1 });
  expect(greedy.method.sampling).toBeUndefined();
  const [sampled, likeliest] = [report.decode[0]!, greedy.decode[0]!];
  expect(sampled.dispatches).toBeGreaterThan(likeliest.dispatches);
  expect(sampled.kernels.map(({ kernel }) => kernel)).toContain("sampler_digit");
  expect(sampled.firstTokens).not.toEqual(likeliest.firstTokens);
});

test("logits that are not the reference's fail the check", async () => {
  const options = { prompts: [], contexts: [8], coldRuns: 1, kernels: false };
  const report = await bench(subjectWith("other", 1), options);
  expect(failed(report)).toEqual([
    "logits after a prompt of 8 as in plain f32",
    "logits after 7 tokens decoded at 8 as in plain f32",
  ]);
});

test("kernels are chosen on the device first, and the choices are what is measured", async () => {
  const options = { prompts: [], contexts: [8], coldRuns: 1, checkUpTo: 0, kernels: false };
  const { tuning, checks, warnings } = await bench(subjectWith("", 0), { ...options, tune: true });
  expect(tuning?.milliseconds).toBeGreaterThan(0);
  expect(tuning?.calls.length).toBeGreaterThan(2);
  for (const { candidates, key } of tuning?.calls ?? []) {
    expect(candidates).toBeGreaterThan(1);
    expect(key).not.toBe("");
  }
  expect(warnings).toEqual([]);
  expect(checks.every(({ passed }) => passed)).toBe(true);
});

test("sizes beyond the model's context are refused", async () => {
  await expect(bench(subjectWith("", 0), { contexts: [62] })).rejects.toThrow(
    "bench: 66 positions are needed; tiny has 64",
  );
});
