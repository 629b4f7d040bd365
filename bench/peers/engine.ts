/** What every engine of the comparison can do, and how one is asked for. */

/** By package. */
export const ENGINE_NAMES = ["tetrad", "node-llama-cpp", "onnxruntime-node"] as const;
export type EngineName = (typeof ENGINE_NAMES)[number];

export interface Engine {
  /** The package's version and what it reaches the GPU by. */
  readonly title: string;
  /** The GPU, as the engine calls it; empty where it does not tell. */
  readonly device: string;
  /** Greedy tokens that follow the prompt. Nothing of an earlier run is reused. */
  generate(prompt: readonly number[], maxTokens: number): AsyncIterable<number>;
  close(): Promise<void>;
}

export interface EngineOptions {
  /** A GGUF file of Q4_0 matrices. */
  readonly file: string;
  /** Where the engine may write files of its own. */
  readonly folder: string;
  /** Positions of the context: the longest prompt and its answer. */
  readonly contextLength: number;
  /** Whether an adapter that computes on the CPU will do. */
  readonly allowSoftware: boolean;
  /** Dawn toggles for Tetrad. */
  readonly dawnFeatures: readonly string[];
  /** MatMulNBits' `accuracy_level`: 4 allows activations in int8, 0 does not. */
  readonly onnxAccuracyLevel: 0 | 4;
  /** Whether the ONNX model has one projection for q, k and v, or three. */
  readonly onnxQkv: "packed" | "separate";
}

export const isEngineName = (name: string): name is EngineName =>
  (ENGINE_NAMES as readonly string[]).includes(name);
