/** How GGML stores a tensor's elements: blocks of so many elements in so many bytes. */
export interface TensorType {
  readonly name: string;
  readonly blockSize: number;
  readonly blockBytes: number;
}

/**
 * GGML's tensor types by number (GGUF specification, `ggml_type`), those that were withdrawn too: a
 * file that cannot be run is still listed, and refused by the name its author knows.
 */
const TYPES: readonly (readonly [name: string, blockSize: number, blockBytes: number])[] = [
  ["F32", 1, 4],
  ["F16", 1, 2],
  ["Q4_0", 32, 18],
  ["Q4_1", 32, 20],
  ["Q4_2", 16, 10],
  ["Q4_3", 16, 12],
  ["Q5_0", 32, 22],
  ["Q5_1", 32, 24],
  ["Q8_0", 32, 34],
  ["Q8_1", 32, 36],
  ["Q2_K", 256, 84],
  ["Q3_K", 256, 110],
  ["Q4_K", 256, 144],
  ["Q5_K", 256, 176],
  ["Q6_K", 256, 210],
  ["Q8_K", 256, 292],
  ["IQ2_XXS", 256, 66],
  ["IQ2_XS", 256, 74],
  ["IQ3_XXS", 256, 98],
  ["IQ1_S", 256, 50],
  ["IQ4_NL", 32, 18],
  ["IQ3_S", 256, 110],
  ["IQ2_S", 256, 82],
  ["IQ4_XS", 256, 136],
  ["I8", 1, 1],
  ["I16", 1, 2],
  ["I32", 1, 4],
  ["I64", 1, 8],
  ["F64", 1, 8],
  ["IQ1_M", 256, 56],
  ["BF16", 1, 2],
  ["Q4_0_4_4", 32, 18],
  ["Q4_0_4_8", 32, 18],
  ["Q4_0_8_8", 32, 18],
  ["TQ1_0", 256, 54],
  ["TQ2_0", 256, 66],
  ["IQ4_NL_4_4", 32, 18],
  ["IQ4_NL_4_8", 32, 18],
  ["IQ4_NL_8_8", 32, 18],
  ["MXFP4", 32, 17],
];

/** The types whose values this runtime can read; `tensor-rows.ts` has the readers. */
const SUPPORTED: readonly string[] = ["F32", "F16", "BF16", "Q4_0", "Q8_0", "Q6_K"];

/** For messages. */
export const SUPPORTED_TYPE_NAMES = SUPPORTED.join(", ");

/** The layout of a type number; undefined for one that is not known. */
export function tensorType(number: number): TensorType | undefined {
  const entry = TYPES[number];
  if (entry === undefined) return undefined;
  const [name, blockSize, blockBytes] = entry;
  return { name, blockSize, blockBytes };
}

/** True where tensors of the type can be loaded. */
export function isSupportedType(name: string): boolean {
  return SUPPORTED.includes(name);
}
