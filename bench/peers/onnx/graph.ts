/** Builds an ONNX graph whose weights lie in a file beside it. */
import { writeFile } from "node:fs/promises";
import { basename } from "node:path";
import {
  ATTRIBUTE_FLOAT,
  ATTRIBUTE_INT,
  DATA_TYPES,
  encodeModel,
  LOCATION_EXTERNAL,
} from "./schema.ts";
import type { DataType } from "./schema.ts";
import type { StoredBytes } from "./weights-file.ts";

const IR_VERSION = 10;
const OPSET = 21;
const CONTRIB_DOMAIN = "com.microsoft";

/** A number of elements, or the name of a size that may change from run to run. */
export type Dim = number | string;

export class OnnxGraph {
  readonly #name: string;
  readonly #nodes: object[] = [];
  readonly #initializers: object[] = [];
  readonly #inputs: object[] = [];
  readonly #outputs: object[] = [];

  constructor(name: string) {
    this.#name = name;
  }

  input(name: string, type: DataType, dims: readonly Dim[]): string {
    this.#inputs.push(valueInfo(name, type, dims));
    return name;
  }

  output(name: string, type: DataType, dims: readonly Dim[]): void {
    this.#outputs.push(valueInfo(name, type, dims));
  }

  /** A constant whose bytes are in the weights file. */
  stored(
    name: string,
    type: DataType,
    dims: readonly number[],
    { file, offset, length }: StoredBytes,
  ): string {
    const location = { location: basename(file), offset: String(offset), length: String(length) };
    this.#initializers.push({
      name,
      dims,
      data_type: DATA_TYPES[type],
      data_location: LOCATION_EXTERNAL,
      external_data: Object.entries(location).map(([key, value]) => ({ key, value })),
    });
    return name;
  }

  /** A small constant, kept in the model itself. */
  constant(name: string, type: DataType, dims: readonly number[], data: ArrayBufferView): string {
    const raw_data = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    this.#initializers.push({ name, dims, data_type: DATA_TYPES[type], raw_data });
    return name;
  }

  /**
   * Adds a node; its results are named `name` (the first) and as `results` says. An empty string is
   * an absent operand or result.
   */
  node(
    operator: string,
    name: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, number>> = {},
    results: readonly string[] = [],
  ): string {
    this.#nodes.push({
      name,
      op_type: operator,
      domain: CONTRIB_OPERATORS.has(operator) ? CONTRIB_DOMAIN : "",
      input: inputs,
      output: [name, ...results],
      attribute: Object.entries(attributes).map(([key, value]) =>
        FLOAT_ATTRIBUTES.has(key)
          ? { name: key, type: ATTRIBUTE_FLOAT, f: value }
          : { name: key, type: ATTRIBUTE_INT, i: value },
      ),
    });
    return name;
  }

  async write(file: string): Promise<void> {
    const model = {
      ir_version: IR_VERSION,
      producer_name: "tetrad-bench-peers",
      opset_import: [
        { domain: "", version: OPSET },
        { domain: CONTRIB_DOMAIN, version: 1 },
      ],
      graph: {
        name: this.#name,
        node: this.#nodes,
        initializer: this.#initializers,
        input: this.#inputs,
        output: this.#outputs,
      },
    };
    await writeFile(file, encodeModel(model));
  }
}

/** Operators that ONNX Runtime adds to ONNX's own. */
const CONTRIB_OPERATORS = new Set([
  "GatherBlockQuantized",
  "GroupQueryAttention",
  "MatMulNBits",
  "SkipSimplifiedLayerNormalization",
]);

/** All other attributes used here are integers. */
const FLOAT_ATTRIBUTES = new Set(["epsilon", "scale"]);

function valueInfo(name: string, type: DataType, dims: readonly Dim[]) {
  const dim = dims.map((size) =>
    typeof size === "number" ? { dim_value: size } : { dim_param: size },
  );
  return { name, type: { tensor_type: { elem_type: DATA_TYPES[type], shape: { dim } } } };
}
