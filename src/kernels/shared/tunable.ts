/** Calls that several routes can serve, which one best being a question for the device. */
import type { Route } from "../../gpu/kernel.ts";
import {
  LIMB_BLOCK_BYTES,
  LIMB_BLOCK_SIZE,
  packLimbs,
  unpackLimbs,
} from "../../quant/int8-limbs.ts";
import type { Tolerance } from "../testing/compare.ts";

/** One way to run a call. */
export interface Candidate<Live> {
  /** Stable, because caches hold it: `limbs/lanes32/outputs4`. */
  readonly name: string;
  /** Builds the route; not done for candidates nobody looks at. */
  readonly route: () => Route<Live>;
  /**
   * How far its results may be from the reference's, where that is more than the operator's own
   * tolerance: chosen only for callers who allow it (`precision: "fast"`). Never the default.
   */
  readonly tolerance?: Tolerance;
  /** It needs integer dot products, which some devices have and are slow at. */
  readonly integerDot?: true;
}

/** Sizes that candidates are timed with, and the integers the kernels read on the GPU then. */
export interface Trial<Live> {
  readonly live: Live;
  /** By operand. */
  readonly ints?: Readonly<Record<string, number>>;
}

/** How an operand's bytes stand for numbers, where its element type does not say. */
export interface OperandEncoding {
  /** Numbers in so many bytes. */
  readonly valuesIn: (bytes: number) => number;
  readonly encode: (values: Float32Array) => Uint8Array;
  readonly decode: (bytes: Uint8Array) => ArrayLike<number>;
}

/** Rows as two int8 limbs: see src/quant/int8-limbs.ts. */
export const LIMBS: OperandEncoding = {
  valuesIn: (bytes) => (bytes / LIMB_BLOCK_BYTES) * LIMB_BLOCK_SIZE,
  encode: (values) => packLimbs(values),
  decode: unpackLimbs,
};

/** A call with the routes that shape and capabilities leave to choose from. Plain data. */
export interface Tunable<Live> {
  /**
   * The operator and everything about the shape that speed may depend on: choices are kept by it.
   * What the device is, is said elsewhere.
   */
  readonly key: string;
  /** The first is what runs where nothing was measured. */
  readonly candidates: readonly [Candidate<Live>, ...Candidate<Live>[]];
  /** What is timed, in sum. */
  readonly trials: readonly [Trial<Live>, ...Trial<Live>[]];
  /** How far a candidate's results may be from the reference's: as in the operator's suite. */
  readonly tolerance: Tolerance;
  /** Operands that candidates, all of them right, may fill differently: which of equals was chosen. */
  readonly undetermined?: readonly string[];
  /** Magnitude of an operand's random values, where it is not 1. */
  readonly magnitudes?: Readonly<Record<string, number>>;
  /** Of operands whose elements are not simply numbers. */
  readonly encodings?: Readonly<Record<string, OperandEncoding>>;
}

/**
 * Magnitude of random scales that makes sums of K products about 0.3, as in the operators' suites:
 * tolerances are partly absolute.
 */
export const scaleMagnitude = (K: number): number => 1 / (32 * Math.sqrt(K));

/** The candidate called `name`, else the default: a name may come from an older cache. */
export function candidateNamed<Live>(
  { candidates }: Tunable<Live>,
  name: string | undefined,
): Candidate<Live> {
  return candidates.find((candidate) => candidate.name === name) ?? candidates[0];
}

/** The tunable without candidates that have a tolerance of their own. */
export function withinTolerance<Live>(tunable: Tunable<Live>): Tunable<Live> {
  const [first, ...others] = tunable.candidates;
  return {
    ...tunable,
    candidates: [first, ...others.filter(({ tolerance }) => tolerance === undefined)],
  };
}

/** The route that runs where nothing was measured. */
export function defaultRoute<Live>({ candidates }: Tunable<Live>): Route<Live> {
  return candidates[0].route();
}

/** The same choice for an operator that runs another's routes and something besides. */
export function mapRoutes<Live>(
  tunable: Tunable<Live>,
  operator: string,
  map: (route: Route<Live>) => Route<Live>,
): Tunable<Live> {
  const mapped = ({ route, ...candidate }: Candidate<Live>): Candidate<Live> => ({
    ...candidate,
    route: () => map(route()),
  });
  const [first, ...others] = tunable.candidates;
  return {
    ...tunable,
    key: `${operator}: ${tunable.key}`,
    candidates: [mapped(first), ...others.map(mapped)],
  };
}

/** Constants of a kernel that may differ from candidate to candidate. */
export type Variant = Readonly<Record<string, string | number>>;

/** `{ input: "limbs", lanes: 32 }` → `limbs/lanes32`. */
export function variantName(variant: Variant): string {
  return Object.entries(variant)
    .map(([name, value]) => (typeof value === "number" ? `${name}${value}` : value))
    .join("/");
}

/** Every combination of `choices`: `preferred` first, then those that are most like it. */
export function variantsOf<V extends Variant>(
  preferred: V,
  choices: { readonly [K in keyof V]: readonly V[K][] },
): readonly [V, ...V[]] {
  let combinations: V[] = [preferred];
  for (const name of Object.keys(choices) as (keyof V)[]) {
    combinations = combinations.flatMap((variant) =>
      choices[name].map((value) => ({ ...variant, [name]: value })),
    );
  }
  const difference = (variant: V): number =>
    Object.keys(preferred).filter((name) => variant[name] !== preferred[name]).length;
  const others = combinations.filter((variant) => difference(variant) > 0);
  return [preferred, ...others.sort((a, b) => difference(a) - difference(b))];
}
