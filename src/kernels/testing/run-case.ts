/** Runs a case on a device, under every feature set that leads to different kernels. */
import type { Capabilities } from "../../gpu/capabilities.ts";
import type { GpuDevice } from "../../gpu/device.ts";
import type { Route } from "../../gpu/kernel.ts";
import { allowing, checkExpectation } from "./check-expectation.ts";
import type { Tolerance } from "./compare.ts";
import { onlyVariant, variantsOf } from "./feature-variants.ts";
import type { VariantOptions } from "./feature-variants.ts";
import { runRoute } from "./run-route.ts";
import { toleranceOf } from "./suite.ts";
import type { KernelCase } from "./suite.ts";

/** One row of a results table. */
export interface CaseResult {
  readonly operator: string;
  readonly name: string;
  readonly variant: string;
  readonly route: string;
  readonly maxAbsolute: number;
  readonly maxRelative: number;
  readonly tolerance: Tolerance;
  /** Empty where it passed. */
  readonly failure: string;
}

/** A case's inputs and reference, made once where they do not depend on the device. */
type CaseData = Pick<KernelCase<never>, "operands" | "expected">;

function cachedData({ operands, expected }: CaseData): CaseData {
  // A function without parameters gives the same for every feature set.
  const once = <T>(make: (capabilities: Capabilities) => T) => {
    if (make.length > 0) return make;
    let made: { readonly value: T } | undefined;
    return (capabilities: Capabilities) => (made ??= { value: make(capabilities) }).value;
  };
  return { operands: once(operands), expected: once(expected) };
}

/** A case's way through on a device with some features. */
interface VariantRun<Live> {
  readonly capabilities: Capabilities;
  readonly route: Route<Live>;
  readonly tolerance: Tolerance;
  /** A candidate's. */
  readonly ownTolerance: Tolerance | undefined;
  readonly seed: number | undefined;
}

async function runVariant<Live>(
  gpu: GpuDevice,
  kernelCase: KernelCase<Live>,
  data: CaseData,
  { capabilities, route, tolerance, ownTolerance, seed: fixedSeed }: VariantRun<Live>,
): Promise<Pick<CaseResult, "maxAbsolute" | "maxRelative" | "failure">> {
  const expected = data.expected(capabilities);
  const operands = data.operands(capabilities);
  const { live } = kernelCase;
  const read = Object.keys(expected);
  const results = await runRoute(gpu, route, operands, live, read, capabilities);
  // Drawn only now, so that nothing can have been made to suit the sample.
  const seed = fixedSeed ?? Math.floor(Math.random() * 2 ** 32);
  let maxAbsolute = 0;
  let maxRelative = 0;
  const failures: string[] = [];
  for (const [name, expectation] of Object.entries(expected)) {
    const bytes = results[name] ?? new ArrayBuffer(0);
    const wanted = ownTolerance === undefined ? expectation : allowing(expectation, ownTolerance);
    const deviation = checkExpectation(bytes, wanted, tolerance, seed);
    maxAbsolute = Math.max(maxAbsolute, deviation.maxAbsolute);
    maxRelative = Math.max(maxRelative, deviation.maxRelative);
    if (deviation.failures > 0) {
      failures.push(`${name}: ${deviation.failures} failures\n${deviation.report}`);
    }
  }
  return { maxAbsolute, maxRelative, failure: failures.join("\n") };
}

/** How to run a case. */
export interface RunOptions extends VariantOptions {
  /**
   * Kernels that ran before, to which those of this case are added: a route made of them alone is left out.
   */
  readonly ran?: Set<string>;
  /** Draws the samples of large outputs as a failure reported them; anew after each run if absent. */
  readonly seed?: number;
  /** All candidates, not only those that differ from the default in one constant. */
  readonly everyCandidate?: boolean;
}

const usesSubgroups = ({ dispatches }: Route<never>): boolean =>
  dispatches.some(({ kernel }) => kernel.source.includes("enable subgroups;"));

/** A route to check. */
interface CandidateRun<Live> {
  readonly name: string;
  readonly isDefault: boolean;
  readonly make: () => Route<Live>;
  /** Instead of the case's. */
  readonly ownTolerance?: Tolerance | undefined;
}

/** The product's route, then others that a device may choose. */
function routesOf<Live>(
  kernelCase: KernelCase<Live>,
  capabilities: Capabilities,
  everyCandidate: boolean,
): readonly CandidateRun<Live>[] {
  const all = kernelCase.candidates?.(capabilities) ?? [];
  const others = everyCandidate ? all : all.filter(({ name }) => isNeighbour(name, all[0]?.name));
  return [
    { name: "default", isDefault: true, make: () => kernelCase.route(capabilities) },
    ...others.map(({ name, route, tolerance }) => ({
      name,
      isDefault: false,
      make: route,
      ownTolerance: tolerance,
    })),
  ];
}

/** Whether candidates' names, `limbs/lanes32/outputs4`, differ in at most one part. */
function isNeighbour(name: string, other = ""): boolean {
  const parts = other.split("/");
  const differing = name.split("/").filter((part, index) => part !== parts[index]);
  return differing.length <= 1;
}

const kernelsOf = ({ dispatches }: Route<never>): string[] =>
  dispatches.map(({ kernel }) => kernel.source + JSON.stringify(kernel.overrides));

const wrongRoute = (taken: string, wanted: string) => ({
  maxAbsolute: Infinity,
  maxRelative: Infinity,
  failure: `took route ${taken}, must take ${wanted}`,
});

/**
 * Runs a case under every feature set of the device that leads to different kernels; a heavy one on a
 * CPU in one way only. No results where the device need not run it. Throws nothing for wrong numbers: the
 * results say.
 */
export async function runCase<Live>(
  gpu: GpuDevice,
  operator: string,
  kernelCase: KernelCase<Live>,
  options: RunOptions = {},
): Promise<CaseResult[]> {
  const { onlySubgroups = false, brief = false, everyCandidate = false, ran, seed } = options;
  if (kernelCase.runnable?.(gpu.capabilities) === false) return [];
  const data = cachedData(kernelCase);
  const seen = new Set<string>();
  const results: CaseResult[] = [];
  const only = onlyVariant(kernelCase, gpu.capabilities);
  const largeTiles = options.largeTiles ?? kernelCase.largeTiles ?? false;
  const unrolled = kernelCase.unrolled ?? false;
  const wanted = { onlySubgroups, brief, unrolled, largeTiles };
  const variants = variantsOf(gpu.capabilities, only, wanted);
  for (const { variant, capabilities, adapt } of variants) {
    if (kernelCase.reachable?.(capabilities) === false) continue;
    const routes = routesOf(kernelCase, capabilities, everyCandidate);
    for (const candidate of brief ? routes.slice(0, 1) : routes) {
      const { name, isDefault, make, ownTolerance } = candidate;
      const route = adapt(make());
      if (route === undefined) continue;
      // Candidates may differ in their grids alone.
      const kernels = kernelsOf(route);
      const identity = (isDefault ? "" : name) + kernels.join();
      if (seen.has(identity)) continue;
      seen.add(identity);
      if (onlySubgroups && !usesSubgroups(route)) continue;
      if (ran !== undefined) {
        if (kernels.every((kernel) => ran.has(kernel))) continue;
        for (const kernel of kernels) ran.add(kernel);
      }
      const tolerance = ownTolerance ?? toleranceOf(kernelCase, capabilities);
      const wanted = isDefault ? kernelCase.expectRoute(capabilities) : route.name;
      results.push({
        operator,
        name: kernelCase.name,
        variant: isDefault ? variant : `${variant}, ${name}`,
        route: route.name,
        tolerance,
        ...(route.name === wanted
          ? await runVariant(gpu, kernelCase, data, {
              capabilities,
              route,
              tolerance,
              ownTolerance,
              seed,
            })
          : wrongRoute(route.name, wanted)),
      });
    }
  }
  return results;
}
