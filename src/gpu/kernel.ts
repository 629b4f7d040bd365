import { unroll } from "./unroll.ts";
import { assemble, parseBindings, parseParams, specialize } from "./wgsl.ts";
import type { BindingDeclaration, KernelConstants, ParamDeclaration } from "./wgsl.ts";
import type { StatedWork } from "./work.ts";

/** A compute shader, specialised: everything a pipeline is compiled from, and what it binds. */
export interface Kernel {
  /** Operator and variant, as profiles and routes show it: `linear_q4gsw_gemv`. */
  readonly label: string;
  /** Complete WGSL with the entry point `main`. */
  readonly source: string;
  /** Values of `override` constants: the workgroup size. */
  readonly overrides: Readonly<Record<string, number>>;
  readonly bindings: readonly BindingDeclaration[];
  readonly params: readonly ParamDeclaration[];
}

export interface KernelOptions {
  readonly label: string;
  /** Helper files, then the kernel itself. */
  readonly parts: readonly string[];
  /** Values of the `// @param` lines, in whichever part declares them. */
  readonly constants?: KernelConstants;
  readonly overrides?: Readonly<Record<string, number>>;
  /** False: loops marked `// @unroll` stay loops. */
  readonly unroll?: boolean;
}

/** Builds a {@link Kernel} from stored `.wgsl` files. */
export function defineKernel(options: KernelOptions): Kernel {
  const specialized = specialize(assemble(options.parts), options.constants ?? {});
  const source = options.unroll === false ? specialized : unroll(specialized);
  // Specialising may bring in f16, whose `enable` line assemble() adds.
  const complete = assemble([source]);
  return {
    label: options.label,
    source: complete,
    overrides: options.overrides ?? {},
    bindings: parseBindings(complete),
    params: parseParams(complete),
  };
}

/** Workgroups to dispatch along x, y and z. */
export type Grid = readonly [x: number, y: number, z: number];

/**
 * One dispatch of a route. `bind` maps each WGSL binding (uniforms apart) to an operand or scratch
 * buffer of the route; grid and params follow the live sizes of a run.
 */
export interface DispatchTemplate<Live> {
  readonly kernel: Kernel;
  readonly bind: Readonly<Record<string, string>>;
  readonly params: (live: Live) => Readonly<Record<string, number>>;
  readonly grid: (live: Live) => Grid;
  /** For measurements. Absent: each operand is touched whole, and arithmetic does not matter. */
  readonly work?: (live: Live) => StatedWork;
}

/**
 * How one call of an operator runs on a device: chosen from shapes and capabilities once, then
 * dispatched with whatever sizes are live. Operands are named as in the operator's contract.
 */
export interface Route<Live> {
  /** Which of the operator's ways this is; tests and profiles name it. */
  readonly name: string;
  /** Buffers that only live during the call: bytes by name, at the maximum live sizes. */
  readonly scratch: Readonly<Record<string, number>>;
  readonly dispatches: readonly DispatchTemplate<Live>[];
}
