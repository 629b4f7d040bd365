/** What the runner and the process of an engine tell each other. */
import type { EngineName, EngineOptions } from "./engine.ts";
import type { ContextResult, MeasureOptions } from "./measure.ts";
import type { Projection, ProjectionResult } from "./projections.ts";

/** The only argument of the engine's process, as JSON. */
export interface Task {
  readonly engine: EngineName;
  readonly options: EngineOptions;
  readonly measure: MeasureOptions;
  /** Lengths of prompts to run the model with; or */
  readonly contexts: readonly number[];
  /** single products. */
  readonly projections: readonly Projection[];
}

export type Message =
  | { readonly type: "loaded"; readonly title: string; readonly device: string }
  | { readonly type: "context"; readonly result: ContextResult }
  | { readonly type: "projection"; readonly result: ProjectionResult }
  | { readonly type: "failed"; readonly reason: string }
  | { readonly type: "finished" };
