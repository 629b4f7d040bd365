/** The feature sets that cases run under. */
import { restrictCapabilities } from "../../gpu/capabilities.ts";
import type { Capabilities, CapabilityOverrides } from "../../gpu/capabilities.ts";
import type { Kernel, Route } from "../../gpu/kernel.ts";
import { emulatedMatrixCapabilities, emulateMatrices, usesMatrices } from "./emulate-matrices.ts";
import type { KernelCase } from "./suite.ts";

/** The variant of kernels on subgroup matrices where an adapter has none. */
const EMULATED = "emulated matrices";

/** The feature sets every case runs under, as far as they lead to different kernels. */
const VARIANTS: Readonly<Record<string, CapabilityOverrides>> = {
  full: {},
  gpu: { software: false },
  unrolled: { software: false, unrolls: true },
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

/** Which feature sets to run. */
export interface VariantOptions {
  /** Only kernels that use subgroups: for adapters that differ from another in nothing else. */
  readonly onlySubgroups?: boolean;
  /** Only as on a GPU, and only the product's routes where nothing was measured. */
  readonly brief?: boolean;
  /** Kernels with their loops written out, on a CPU as well. */
  readonly unrolled?: boolean;
  /** Emulated matrices in tiles as large as the device can hold. */
  readonly largeTiles?: boolean;
}

/** A set of features that a case runs under. */
export interface FeatureVariant {
  readonly variant: string;
  readonly capabilities: Capabilities;
  /** The route as the device can run it; undefined where another variant runs the same. */
  readonly adapt: <Live>(route: Route<Live>) => Route<Live> | undefined;
}

/** The feature sets of a device, or only the one called `only`. */
export function variantsOf(
  capabilities: Capabilities,
  only: string | undefined,
  { onlySubgroups = false, brief = false, unrolled = false, largeTiles = false }: VariantOptions,
): FeatureVariant[] {
  const wanted = Object.entries(VARIANTS).filter(([name, { software, unrolls = false }]) =>
    only === undefined ? (software === false || !brief) && (unrolled || !unrolls) : name === only,
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
export function onlyVariant<Live>(
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
