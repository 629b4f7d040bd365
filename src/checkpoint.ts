/**
 * A model as it was published, whatever the file format: hyperparameters under one set of names,
 * and tensors that are read row by row, so that nothing larger than a few megabytes is ever held.
 */

/** Rows that are read together and land in several arrays: for example nibbles and scales. */
export interface RowSource {
  /** Number of rows: the outermost dimension. */
  readonly rows: number;
  /** Bytes a row takes in the file; what a reader should budget its reads by. */
  readonly storedRowBytes: number;
  /** Bytes a row takes in each plane that `read` returns. */
  readonly planeRowBytes: readonly number[];
  /** Reads rows `[start, start + count)`: one array of `count × planeRowBytes[i]` bytes a plane. */
  read(start: number, count: number, signal?: AbortSignal): Promise<Uint8Array[]>;
}

/** A matrix in 4-bit group-wise symmetric form (`et_vk.linear_q4gsw`'s weight and scales). */
export interface Q4Matrix {
  /** Output features N and input features K. */
  readonly rows: number;
  readonly columns: number;
  /** Weights that share a scale, along K. */
  readonly groupSize: number;
  readonly scaleType: "f16" | "f32";
  /**
   * Plane 0: weight, u8 [N, pad8(K)/2], byte j of a row holding k = 2j in its low nibble, value + 8.
   * Plane 1: scales, f16 or f32, row-major [N, K / groupSize].
   */
  readonly data: RowSource;
  /** True where the stored type was not 4-bit, so that values were rounded. */
  readonly requantized: boolean;
}

/** A tensor of a checkpoint. */
export interface CheckpointTensor {
  readonly name: string;
  /** Row-major dimensions, outermost first: `[N, K]` for a projection. */
  readonly dims: readonly number[];
  /** The type in the file, as the format spells it: `Q4_0`, `F16`. */
  readonly storedType: string;
  /** Bytes in the file. */
  readonly byteLength: number;
  /** This matrix as 4-bit planes. Throws `UnsupportedError` where the stored type is not supported. */
  q4(): Q4Matrix;
  /** All values as f32, plane 0. For vectors: norm weights, biases. */
  f32(): RowSource;
}

/** How rotary position embedding pairs a head's elements: (2i, 2i+1), or (i, i + D/2). */
export type RopeLayout = "interleaved" | "half";

/** Frequency scaling of rotary position embedding. */
export type RopeScaling =
  | { readonly type: "linear"; readonly factor: number }
  | {
      readonly type: "llama3";
      readonly factor: number;
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
      readonly originalContextLength: number;
    }
  /** Divisors of the base frequencies, [headSize / 2], as a tensor (`rope_freqs.weight`). */
  | { readonly type: "factors"; readonly tensor: string };

/** The numbers a decoder-only transformer is built from. */
export interface Hyperparameters {
  readonly layers: number;
  readonly hiddenSize: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly feedForwardSize: number;
  readonly vocabularySize: number;
  /** Positions the model was trained for. */
  readonly contextLength: number;
  readonly normEpsilon: number;
  readonly ropeTheta: number;
  readonly ropeLayout: RopeLayout;
  readonly ropeScaling: RopeScaling | undefined;
  /** Elements of a head that are rotated; `headSize` unless the model says less. */
  readonly ropeSize: number;
}

/** What `src/models/` builds a graph from. */
export interface Checkpoint {
  /** `llama`, `qwen2`, `qwen3`. */
  readonly architecture: string;
  readonly hyperparameters: Hyperparameters;
  readonly tensors: ReadonlyMap<string, CheckpointTensor>;
  /** A file's name or URL, for messages. */
  readonly source: string;
}
