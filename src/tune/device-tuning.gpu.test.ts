import { beforeAll, beforeEach, expect, test } from "vitest";
import { requestTestDevice } from "../../tests/support/gpu.ts";
import type { GpuDevice } from "../gpu/device.ts";
import type { TunableCall } from "../graph/tuning.ts";
import { rmsNorm } from "../kernels/rms_norm/rms-norm.ts";
import type { Candidate } from "../kernels/shared/tunable.ts";
import type { TuningStore } from "../tuning-store.ts";
import { tuneDevice } from "./device-tuning.ts";
import { digestOf, formatChoices } from "./stored-choices.ts";

let gpu: GpuDevice;
beforeAll(async () => {
  gpu = await requestTestDevice();
});

let text: string | undefined;
const store: TuningStore = {
  read: () => Promise.resolve(text),
  write: (_, written) => {
    text = written;
    return Promise.resolve();
  },
};
beforeEach(() => {
  text = undefined;
});

const ROWS = 3;
const WIDTH = 64;

/** One kernel under several names; `epsilon` changes what it is. */
function call(key: string, names: readonly string[], epsilon = 1e-5): TunableCall {
  const candidate = (name: string): Candidate<unknown> => ({
    name,
    route: () => rmsNorm({ width: WIDTH, epsilon }, gpu.capabilities) as never,
  });
  const [first = "", ...others] = names;
  return {
    tunable: {
      key,
      candidates: [candidate(first), ...others.map(candidate)],
      trials: [{ live: { rows: ROWS } }],
      tolerance: { absolute: 1e-5, relative: 1e-5 },
    },
    operands: {
      x: { kind: "activation", dtype: "f32", bytes: 4 * ROWS * WIDTH },
      weight: { kind: "constant", dtype: "f32", bytes: 4 * WIDTH },
      out: { kind: "activation", dtype: "f32", bytes: 4 * ROWS * WIDTH },
    },
    count: 1,
  };
}

/** The keys that are measured for these calls. */
async function measured(calls: readonly TunableCall[], again = false): Promise<string[]> {
  const { results, warnings } = await tuneDevice(gpu, [calls], { store, again, budgetMs: 60_000 });
  expect(warnings).toEqual([]);
  return results.map(({ key }) => key).sort();
}

test("only what is not known is measured", async () => {
  expect(await measured([call("a", ["x", "y"])])).toEqual(["a"]);
  expect(await measured([call("a", ["x", "y"]), call("b", ["x", "y"])])).toEqual(["b"]);
  expect(await measured([call("a", ["x", "y"]), call("b", ["x", "y"])])).toEqual([]);
});

test("a call that several plans have is measured once", async () => {
  const twice = [call("a", ["x", "y"]), call("a", ["x", "y"])];
  expect(await measured(twice)).toEqual(["a"]);
});

test("other candidates, or other kernels, are measured anew", async () => {
  await measured([call("a", ["x", "y"])]);
  expect(await measured([call("a", ["x", "z"])])).toEqual(["a"]);
  expect(await measured([call("a", ["x", "z"], 1)])).toEqual(["a"]);
  expect(await measured([call("a", ["x", "z"], 1)])).toEqual([]);
});

test("what is known is measured again when asked for", async () => {
  await measured([call("a", ["x", "y"])]);
  expect(await measured([call("a", ["x", "y"])], true)).toEqual(["a"]);
});

test("a store that is broken or full of nonsense costs its contents only", async () => {
  text = '{"format":1,"choices":{"a":{"digest":17,"choice":[]}}}';
  expect(await measured([call("a", ["x", "y"])])).toEqual(["a"]);
  const broken: TuningStore = {
    read: () => Promise.reject(new Error("no read")),
    write: () => Promise.reject(new Error("disk full")),
  };
  const { tuning, warnings } = await tuneDevice(gpu, [[call("a", ["x", "y"])]], { store: broken });
  expect(["x", "y"]).toContain(tuning.get("a"));
  expect(warnings).toEqual([expect.stringContaining("disk full")]);
});

test("what rounds more is chosen for those who allow it alone", async () => {
  const exact = call("a", ["x", "y"]);
  const [first, ...others] = exact.tunable.candidates;
  const rounding = { ...first, name: "rounding", tolerance: { absolute: 1, relative: 1 } };
  const tunable = { ...exact.tunable, candidates: [first, ...others, rounding] as const };
  const both = { ...exact, tunable };
  const countOf = async (precision: "exact" | "fast") => {
    const { results } = await tuneDevice(gpu, [[both]], { precision, budgetMs: 60_000 });
    return results[0]?.candidates;
  };
  expect(await countOf("exact")).toBe(2);
  expect(await countOf("fast")).toBe(3);

  // Nor does a store's word for it count.
  const stored = new Map([["a", { digest: digestOf(exact.tunable), choice: "rounding" }]]);
  text = formatChoices("a device", stored);
  const { tuning, results } = await tuneDevice(gpu, [[both]], { store, budgetMs: 60_000 });
  expect(results.length).toBe(1);
  expect(["x", "y"]).toContain(tuning.get("a"));
});

test("a device that is slow at integer dot products is known for it from then on", async () => {
  const plain = call("a", ["f32", "limbs"]);
  const [f32, limbs] = plain.tunable.candidates;
  if (limbs === undefined) throw new Error("there are two");
  // Far apart, so that nothing depends on how busy the machine is: integer-dot.test.ts has the margin.
  const slowed = (candidate: Candidate<unknown>): Candidate<unknown> => ({
    ...candidate,
    route: () => {
      const route = candidate.route();
      return { ...route, dispatches: Array.from({ length: 40 }, () => route.dispatches[0]!) };
    },
  });
  const withDots: Candidate<unknown> = { ...limbs, integerDot: true };
  const between = (first: Candidate<unknown>, second: Candidate<unknown>): TunableCall => ({
    ...plain,
    tunable: { ...plain.tunable, candidates: [first, second] },
  });
  const emulated = between(slowed(withDots), f32);
  const native = between(withDots, slowed(f32));
  const avoids = async (calls: readonly TunableCall[]) =>
    (await tuneDevice(gpu, [calls], { store, budgetMs: 60_000 })).avoidsIntegerDot;
  expect(await avoids([emulated])).toBe(true);
  expect(await measured([emulated])).toEqual([]);
  expect(await avoids([emulated])).toBe(true);
  // With another digest nothing is known.
  expect(await avoids([plain])).toBe(false);
  text = undefined;
  expect(await avoids([native])).toBe(false);
});
