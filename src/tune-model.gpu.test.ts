import { readFileSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { requestTestDevice } from "../tests/support/gpu.ts";
import type { LoadOptions } from "./api.ts";
import type { GpuDevice } from "./gpu/device.ts";
import { withinTolerance } from "./kernels/shared/tunable.ts";
import { loadModel } from "./load-model.ts";
import { memorySource } from "./memory-source.ts";
import { avoidanceKey } from "./tune/integer-dot.ts";
import { digestOf, formatChoices, parseChoices, storeName } from "./tune/stored-choices.ts";
import type { TuningStore } from "./tuning-store.ts";

const MODEL = new URL("../models/stories-14m/stories-14m-q4_0.gguf", import.meta.url);
const PROMPT = "The king said to his youngest son,";

let gpu: GpuDevice;
beforeAll(async () => {
  gpu = await requestTestDevice({ restrict: { software: false } });
});

class MemoryStore implements TuningStore {
  readonly texts = new Map<string, string>();

  read(name: string): Promise<string | undefined> {
    return Promise.resolve(this.texts.get(name));
  }

  write(name: string, text: string): Promise<void> {
    this.texts.set(name, text);
    return Promise.resolve();
  }
}

const CONTEXT = 32;

const source = () => memorySource(new Uint8Array(readFileSync(MODEL)), "stories.gguf");

/** Loads and generates; says whether anything was measured, and what is run for a token. */
async function story(store: TuningStore, options: LoadOptions = {}) {
  const statuses = new Set<string>();
  const onProgress: LoadOptions["onProgress"] = ({ status }) => statuses.add(status);
  const loadOptions = { contextLength: CONTEXT, ...options, onProgress };
  const model = await loadModel(gpu, source(), undefined, loadOptions, () => {}, { store });
  const { tokens } = await model.generate(PROMPT, { maxTokens: 4 }).result;
  const { step, prompt } = model.session.plans;
  const kernels = step.greedy.dispatches.map(({ kernel }) => JSON.stringify(kernel));
  const plans = [step.greedy, step.sampled, prompt.greedy];
  const tunables = plans.flatMap((plan) => plan.tunables);
  await model.dispose();
  return { tokens, warnings: model.warnings, measured: statuses.has("tune"), kernels, tunables };
}

test("what was measured once is run from then on, and gives the same tokens", async () => {
  const store = new MemoryStore();
  const untuned = await story(store, { tune: false });
  expect(untuned.measured).toBe(false);
  expect(store.texts.size).toBe(0);

  const first = await story(store);
  expect(first.measured).toBe(true);
  expect(first.warnings).toEqual([]);
  expect(first.tokens).toEqual(untuned.tokens);
  const [[name, text] = ["", ""]] = store.texts;
  const measured = parseChoices(text);
  for (const { tunable } of first.tunables) {
    const choice = measured.get(tunable.key)?.choice;
    // A slow device has no time for all of them.
    if (choice !== undefined) expect(tunable.candidates.map(({ name }) => name)).toContain(choice);
  }
  expect(measured.size).toBeGreaterThan(0);

  // As if every alternative had been faster than its default.
  const others = first.tunables.map(({ tunable: all }) => {
    const tunable = withinTolerance(all);
    const choice = tunable.candidates[1]?.name ?? "";
    return [tunable.key, { digest: digestOf(tunable), choice }] as const;
  });
  store.texts.set(name, formatChoices("test", new Map(others)));
  const second = await story(store);
  expect(second.measured).toBe(false);
  expect(second.kernels).not.toEqual(untuned.kernels);
  expect(second.tokens).toEqual(untuned.tokens);
}, 600_000);

test("a device slow at integer dot products gets plans without", async () => {
  if (!gpu.capabilities.integerDot) return;
  const store = new MemoryStore();
  const untuned = await story(store, { tune: false });
  expect(untuned.kernels.join()).toContain("dot4I8Packed");
  // What a measurement on such a device would have left.
  const known = untuned.tunables.flatMap(({ tunable: all }) => {
    const tunable = withinTolerance(all);
    const digest = digestOf(tunable);
    return [
      [tunable.key, { digest, choice: tunable.candidates[0].name }],
      [avoidanceKey(tunable.key), { digest, choice: "faster" }],
    ] as const;
  });
  const name = storeName(gpu.capabilities, ["precision=exact"]);
  store.texts.set(name, formatChoices("test", new Map(known)));
  const tuned = await story(store);
  expect(tuned.kernels.join()).not.toContain("dot4I8Packed");
  expect(tuned.tokens).toEqual(untuned.tokens);
}, 600_000);
