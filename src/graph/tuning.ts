/** What was measured on a device, as plans take it. */
import type { Tunable } from "../kernels/shared/tunable.ts";
import type { Dtype } from "./ir.ts";

/** Names of candidates by the key of their call. Calls without one run the default. */
export type Tuning = ReadonlyMap<string, string>;

/** What a candidate binds as an operand. */
export interface OperandSize {
  readonly dtype: Dtype;
  readonly bytes: number;
  /** `constant` for weights, which differ from call to call, `state` for what a call updates. */
  readonly kind: "activation" | "input" | "constant" | "state";
}

/** A call of a plan that several candidates could serve. */
export interface TunableCall {
  readonly tunable: Tunable<unknown>;
  /** By name; integers that kernels read on the GPU are i32 of one element. */
  readonly operands: Readonly<Record<string, OperandSize>>;
  /** How often the plan has it. */
  readonly count: number;
}
