import type { Capabilities } from "../../gpu/capabilities.ts";
import type { Route } from "../../gpu/kernel.ts";
import type { Candidate } from "../shared/tunable.ts";
import type { Tolerance } from "./compare.ts";
import { emulatedMatrixCapabilities } from "./emulate-matrices.ts";
import type { MatrixReference } from "./matrix-check.ts";
import type { Operand } from "./run-route.ts";

/** Numbers as an operand holds them, or as a case reads them. */
export type Numbers =
  Float64Array | Float32Array | Int32Array | Uint32Array | Int8Array | Uint8Array;

/** How numbers are stored, or a function that reads them. */
export type StoredType =
  "f32" | "f16" | "i32" | "u32" | "i8" | "u8" | ((bytes: ArrayBuffer) => Numbers);

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
  /** Its kernels run with their loops written out even where a CPU compiles them: the test of that. */
  readonly unrolled?: true;
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
