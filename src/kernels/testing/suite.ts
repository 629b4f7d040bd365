import { restrictCapabilities } from "../../gpu/capabilities.ts";
import type { Capabilities, CapabilityOverrides } from "../../gpu/capabilities.ts";
import type { GpuDevice } from "../../gpu/device.ts";
import type { Kernel, Route } from "../../gpu/kernel.ts";
import { f16ToF32 } from "../../quant/f16.ts";
import type { Candidate } from "../shared/tunable.ts";
import { compare } from "./compare.ts";
import type { Deviation, Tolerance } from "./compare.ts";
import { emulatedMatrixCapabilities, emulateMatrices, usesMatrices } from "./emulate-matrices.ts";
import { checkMatrix } from "./matrix-check.ts";
import type { MatrixReference } from "./matrix-check.ts";
import { runRoute } from "./run-route.ts";
import type { Operand } from "./run-route.ts";

type Numbers = Float64Array | Float32Array | Int32Array | Uint32Array | Int8Array | Uint8Array;

/** How numbers are stored, or a function that reads them. */
type StoredType = "f32" | "f16" | "i32" | "u32" | "i8" | "u8" | ((bytes: ArrayBuffer) => Numbers);

/** What an operand must hold afterwards: elements, or a matrix too large for all of them. */
export type Expectation = ElementsExpectation | MatrixExpectation;

/** Elements one by one. */
export interface ElementsExpectation {
  readonly type: StoredType;
  /** Float64 reference; integers exactly. */
  readonly values: ArrayLike<number>;
  /** Which elements `values` are, if not all in order: the others may hold anything. */
  readonly indices?: ArrayLike<number>;
  /** Overrides the case's tolerance. */
  readonly tolerance?: Tolerance;
}

/** A random sample and sums over everything: see {@link checkMatrix}. */
export interface MatrixExpectation {
  readonly type: "f32";
  readonly matrix: MatrixReference;
}

/** One configuration of one operator: inputs, live sizes and what must come out. */
export interface KernelCase<Live> {
  readonly name: string;
  /** Plans the operator for a device, as the product does. */
  readonly route: (capabilities: Capabilities) => Route<Live>;
  /** The route that must be taken; the case fails if another ran. */
  readonly expectRoute: (capabilities: Capabilities) => string;
  readonly live: Live;
  /** Routes that a device may choose by measuring, all of which are then checked as well. */
  readonly candidates?: (capabilities: Capabilities) => readonly Candidate<Live>[];
  /** Operands by name: contents, or bytes of buffers to be written. Called once a run. */
  readonly operands: (capabilities: Capabilities) => Readonly<Record<string, Operand>>;
  readonly expected: (capabilities: Capabilities) => Readonly<Record<string, Expectation>>;
  readonly tolerance: Tolerance | ((capabilities: Capabilities) => Tolerance);
  /** Its kernels on subgroup matrices need more workgroup memory than the least there is. */
  readonly largeTiles?: true;
  /** Why it is left to `npm run test:heavy` and to real GPUs: what it costs. */
  readonly heavy?: string;
  /**
   * One of many that differ from each other in constants of their kernels alone, and not the most telling
   * of them: each is a kernel more to compile. Left out where compiling takes seconds.
   */
  readonly sweep?: true;
  /** False for features without which nothing reaches the operator: what makes it asks the same. */
  readonly reachable?: (capabilities: Capabilities) => boolean;
  /** False where a device need not run the case: it asks for more than WebGPU guarantees. */
  readonly runnable?: (capabilities: Capabilities) => boolean;
}

/** All configurations of an operator: the single source for tests on every kind of device. */
export interface KernelSuite {
  readonly operator: string;
  // Cases of one suite may differ in their live sizes; each is only ever run with its own.
  readonly cases: readonly KernelCase<never>[];
}

/** Makes a suite of cases whose live sizes may differ. */
export function defineSuite(
  operator: string,
  cases: readonly { readonly name: string }[],
): KernelSuite {
  return { operator, cases: cases as unknown as readonly KernelCase<never>[] };
}

/** How far a case may be off on a device. */
export function toleranceOf(
  { tolerance }: Pick<KernelCase<never>, "tolerance">,
  capabilities: Capabilities,
): Tolerance {
  return typeof tolerance === "function" ? tolerance(capabilities) : tolerance;
}

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

/** The variant of kernels on subgroup matrices where an adapter has none. */
const EMULATED = "emulated matrices";

/** The feature sets every case runs under, as far as they lead to different kernels. */
const VARIANTS: Readonly<Record<string, CapabilityOverrides>> = {
  full: {},
  gpu: { software: false },
  software: { software: true },
  "no matrices": { software: false, subgroupMatrices: false },
  "no f16": { software: false, f16: false, subgroupMatrices: false },
  "no integer dot": { software: false, integerDot: false, subgroupMatrices: false },
  "no subgroups": { software: false, subgroups: false, subgroupMatrices: false },
  plain: {
    software: false,
    f16: false,
    subgroups: false,
    integerDot: false,
    subgroupMatrices: false,
    limits: { maxImmediateSize: 0 },
  },
};

function asNumbers(type: StoredType, bytes: ArrayBuffer): Numbers {
  if (typeof type === "function") return type(bytes);
  switch (type) {
    case "f32":
      return new Float32Array(bytes);
    case "f16":
      return f16ToF32(new Uint16Array(bytes));
    case "i32":
      return new Int32Array(bytes);
    case "u32":
      return new Uint32Array(bytes);
    case "i8":
      return new Int8Array(bytes);
    case "u8":
      return new Uint8Array(bytes);
    default:
      throw new Error(`unknown type ${String(type satisfies never)}`);
  }
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

function check(
  bytes: ArrayBuffer,
  expectation: Expectation,
  tolerance: Tolerance,
  seed: number,
): Deviation {
  const actual = asNumbers(expectation.type, bytes);
  if ("matrix" in expectation) return checkMatrix(actual, expectation.matrix, tolerance, seed);
  const { values, indices, tolerance: own = tolerance } = expectation;
  // Buffers are padded to words; the padding is nobody's.
  const trimmed = indices === undefined ? actual.subarray(0, values.length) : actual;
  return compare(trimmed, values, own, indices);
}

/** An expectation's own tolerance is for the operator: a candidate's may be more. */
function allowing(expectation: Expectation, tolerance: Tolerance): Expectation {
  if ("matrix" in expectation || expectation.tolerance === undefined) return expectation;
  const { absolute, relative } = expectation.tolerance;
  return {
    ...expectation,
    tolerance: {
      absolute: Math.max(absolute, tolerance.absolute),
      relative: Math.max(relative, tolerance.relative),
    },
  };
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
    const deviation = check(bytes, wanted, tolerance, seed);
    maxAbsolute = Math.max(maxAbsolute, deviation.maxAbsolute);
    maxRelative = Math.max(maxRelative, deviation.maxRelative);
    if (deviation.failures > 0) {
      failures.push(`${name}: ${deviation.failures} failures\n${deviation.report}`);
    }
  }
  return { maxAbsolute, maxRelative, failure: failures.join("\n") };
}

/** How to run a case. */
export interface RunOptions {
  /** Only kernels that use subgroups: for adapters that differ from another in nothing else. */
  readonly onlySubgroups?: boolean;
  /** Only as on a GPU, and only the product's routes where nothing was measured. */
  readonly brief?: boolean;
  /**
   * Kernels that ran before, to which those of this case are added: a route made of them alone is left out.
   */
  readonly ran?: Set<string>;
  /** Draws the samples of large outputs as a failure reported them; anew after each run if absent. */
  readonly seed?: number;
  /** All candidates, not only those that differ from the default in one constant. */
  readonly everyCandidate?: boolean;
  /** Emulated matrices in tiles as large as the device can hold. */
  readonly largeTiles?: boolean;
}

const usesSubgroups = ({ dispatches }: Route<never>): boolean =>
  dispatches.some(({ kernel }) => kernel.source.includes("enable subgroups;"));

/** A binding of this many bytes is guaranteed by WebGPU. */
const GUARANTEED_BINDING_BYTES = 2 ** 27;

/** The `runnable` of a case that binds so many bytes at once: none where every device must run it. */
export function runnableWithBinding(bytes: number): Pick<KernelCase<never>, "runnable"> {
  if (bytes <= GUARANTEED_BINDING_BYTES) return {};
  return { runnable: ({ limits }) => bytes <= limits.maxStorageBufferBindingSize };
}

/**
 * What keeps a case to devices with subgroup matrices and adapters that can emulate them, and there to
 * the capabilities with which something reaches the operator.
 */
export function onMatricesOnly(
  reachable: (capabilities: Capabilities) => boolean,
): Pick<KernelCase<never>, "reachable" | "runnable"> {
  return {
    reachable,
    runnable: (capabilities) =>
      capabilities.subgroupMatrices.length > 0 ||
      emulatedMatrixCapabilities(capabilities, false) !== undefined,
  };
}

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

/** A set of features that a case runs under. */
interface FeatureVariant {
  readonly variant: string;
  readonly capabilities: Capabilities;
  /** The route as the device can run it; undefined where another variant runs the same. */
  readonly adapt: <Live>(route: Route<Live>) => Route<Live> | undefined;
}

function variantsOf(
  capabilities: Capabilities,
  only: string | undefined,
  { onlySubgroups = false, brief = false, largeTiles = false }: RunOptions,
): FeatureVariant[] {
  const wanted = Object.entries(VARIANTS).filter(([name, { software }]) =>
    only === undefined ? software === false || !brief : name === only,
  );
  const variants = wanted.map(([variant, overrides]): FeatureVariant => ({
    variant,
    capabilities: restrictCapabilities(capabilities, overrides),
    adapt: (route) => route,
  }));
  // Emulated, matrices do not depend on the subgroup size.
  const emulated =
    (only !== undefined && only !== EMULATED) || onlySubgroups
      ? undefined
      : emulatedMatrixCapabilities(capabilities, largeTiles);
  if (emulated !== undefined) {
    const adapt = <Live>(route: Route<Live>): Route<Live> | undefined =>
      route.dispatches.some(({ kernel }) => usesMatrices(kernel))
        ? withKernels(route, emulateMatrices)
        : undefined;
    variants.push({ variant: EMULATED, capabilities: emulated, adapt });
  }
  return variants;
}

/**
 * Of a heavy case on a CPU: as the product runs it there, or if it never does, as on a GPU, or on one with
 * matrices.
 */
function onlyVariant<Live>(
  { heavy, reachable }: KernelCase<Live>,
  capabilities: Capabilities,
): string | undefined {
  if (heavy === undefined || !capabilities.software) return undefined;
  const serves = (variant: keyof typeof VARIANTS): boolean =>
    reachable?.(restrictCapabilities(capabilities, VARIANTS[variant] ?? {})) !== false;
  return ["full", "gpu"].find(serves) ?? EMULATED;
}

const withKernels = <Live>(
  route: Route<Live>,
  change: (kernel: Kernel) => Kernel,
): Route<Live> => ({
  ...route,
  dispatches: route.dispatches.map((dispatch) => ({
    ...dispatch,
    kernel: change(dispatch.kernel),
  })),
});

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
  const variants = variantsOf(gpu.capabilities, only, { onlySubgroups, brief, largeTiles });
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
