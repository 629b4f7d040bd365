/** Plans of a decoder with the kernels that a device chose by measuring. */
import type { DecoderPlans } from "./generate/decoder-plans.ts";
import { planDecoder } from "./generate/decoder-plans.ts";
import { restrictCapabilities } from "./gpu/capabilities.ts";
import type { Capabilities } from "./gpu/capabilities.ts";
import type { GpuDevice } from "./gpu/device.ts";
import type { DecoderGraph } from "./graph/decoder-graph.ts";
import { candidateNamed } from "./kernels/shared/tunable.ts";
import { storedTuning, tuneDevice } from "./tune/device-tuning.ts";
import type { DeviceTuning, DeviceTuningOptions } from "./tune/device-tuning.ts";
import { DEFAULT_BUDGET_MS } from "./tune/tune-calls.ts";

/** Where choices among kernels are kept, and what else they depend on. */
export type TuningPlace = Pick<DeviceTuningOptions, "store" | "settings">;

/** Plans, and how they came about. */
export interface TunedPlans extends Omit<DeviceTuning, "tuning" | "avoidsIntegerDot"> {
  readonly plans: DecoderPlans;
}

/**
 * Plans a decoder with what is known about the device, which is measured where it is not. Where calls
 * are clearly faster without integer dot products, all of it is planned without.
 */
export async function planTuned(
  gpu: GpuDevice,
  decoder: DecoderGraph,
  options: DeviceTuningOptions,
): Promise<TunedPlans> {
  const end = performance.now() + (options.budgetMs ?? DEFAULT_BUDGET_MS);
  const first = await planFor(gpu, decoder, gpu.capabilities, options);
  if (!first.avoidsIntegerDot) return first;
  const without = restrictCapabilities(gpu.capabilities, { integerDot: false });
  const budgetMs = Math.max(0, end - performance.now());
  const second = await planFor(gpu, decoder, without, { ...options, budgetMs });
  // Some calls are in both, with other candidates.
  const results = [...first.results, ...second.results];
  return {
    plans: second.plans,
    results: [...new Map(results.map((result) => [result.key, result])).values()],
    warnings: [...first.warnings, ...second.warnings],
  };
}

async function planFor(
  gpu: GpuDevice,
  decoder: DecoderGraph,
  capabilities: Capabilities,
  options: DeviceTuningOptions,
): Promise<DeviceTuning & TunedPlans> {
  const place = { ...options, capabilities };
  const stored = await storedTuning(gpu, place);
  const plans = planDecoder(decoder, capabilities, stored);
  // A long answer takes longer than its prompt.
  const { step, ...prompts } = plans;
  const tunables = [step.greedy, step.sampled, prompts.prompt.greedy, prompts.fill].map(
    (plan) => plan.tunables,
  );
  const found = await tuneDevice(gpu, tunables, place);
  const differs = tunables.flat().some(({ tunable }) => {
    const [planned, chosen] = [stored, found.tuning].map((names) => names.get(tunable.key));
    return candidateNamed(tunable, planned) !== candidateNamed(tunable, chosen);
  });
  return {
    ...found,
    plans: differs ? planDecoder(decoder, capabilities, found.tuning) : plans,
  };
}
