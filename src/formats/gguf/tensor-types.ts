/** How GGML stores a tensor's elements: blocks of so many elements in so many bytes. */
export interface TensorType {
  readonly name: string;
  readonly blockSize: number;
  readonly blockBytes: number;
}

/**
 * Names of GGML's tensor types by number (GGUF specification, `ggml_type`), so that a file which
 * cannot be loaded is refused by the name its author knows. Numbers that are missing were withdrawn.
 */
const TYPE_NAMES: ReadonlyMap<number, string> = new Map([
  [0, "F32"],
  [1, "F16"],
  [2, "Q4_0"],
  [3, "Q4_1"],
  [6, "Q5_0"],
  [7, "Q5_1"],
  [8, "Q8_0"],
  [9, "Q8_1"],
  [10, "Q2_K"],
  [11, "Q3_K"],
  [12, "Q4_K"],
  [13, "Q5_K"],
  [14, "Q6_K"],
  [15, "Q8_K"],
  [16, "IQ2_XXS"],
  [17, "IQ2_XS"],
  [18, "IQ3_XXS"],
  [19, "IQ1_S"],
  [20, "IQ4_NL"],
  [21, "IQ3_S"],
  [22, "IQ2_S"],
  [23, "IQ4_XS"],
  [24, "I8"],
  [25, "I16"],
  [26, "I32"],
  [27, "I64"],
  [28, "F64"],
  [29, "IQ1_M"],
  [30, "BF16"],
  [34, "TQ1_0"],
  [35, "TQ2_0"],
  [39, "MXFP4"],
]);

/** The types this reader knows the layout of. */
const SUPPORTED: readonly TensorType[] = [
  { name: "F32", blockSize: 1, blockBytes: 4 },
  { name: "F16", blockSize: 1, blockBytes: 2 },
  { name: "BF16", blockSize: 1, blockBytes: 2 },
  { name: "Q4_0", blockSize: 32, blockBytes: 18 },
  { name: "Q8_0", blockSize: 32, blockBytes: 34 },
  { name: "Q6_K", blockSize: 256, blockBytes: 210 },
];

/** For messages. */
export const SUPPORTED_TYPE_NAMES = SUPPORTED.map(({ name }) => name).join(", ");

/** The name of a type number; undefined for one that GGML never had. */
export function tensorTypeName(number: number): string | undefined {
  return TYPE_NAMES.get(number);
}

/** The layout of a type, or undefined where it is not supported. */
export function supportedTensorType(name: string): TensorType | undefined {
  return SUPPORTED.find((type) => type.name === name);
}
