import type { ByteSource } from "../../byte-source.ts";
import type { CheckpointTensor, Q4Matrix, RowSource } from "../../checkpoint.ts";
import { FormatError, RequestError, UnsupportedError } from "../../errors.ts";
import { asUint16, bf16ToF32, f16ToF32 } from "../../quant/f16.ts";
import { dequantizeQ4_0, Q4_0_BLOCK_SIZE, repackQ4_0 } from "../../quant/q4-0.ts";
import { quantizeQ4Groups } from "../../quant/q4gsw.ts";
import { dequantizeQ6K } from "../../quant/q6-k.ts";
import { dequantizeQ8_0 } from "../../quant/q8-0.ts";
import type { GgufTensorInfo } from "./read.ts";
import { isSupportedType, SUPPORTED_TYPE_NAMES } from "./tensor-types.ts";

/** Weights that share a scale in what is loaded: Q4_0's. */
const GROUP_SIZE = Q4_0_BLOCK_SIZE;

/** Widens stored bytes to f32. */
function widen(type: string, bytes: Uint8Array, out: Float32Array): void {
  switch (type) {
    case "F32":
      new Uint8Array(out.buffer).set(bytes);
      return;
    case "F16":
      f16ToF32(asUint16(bytes), out);
      return;
    case "BF16":
      bf16ToF32(asUint16(bytes), out);
      return;
    case "Q4_0":
      dequantizeQ4_0(bytes, out);
      return;
    case "Q8_0":
      dequantizeQ8_0(bytes, out);
      return;
    case "Q6_K":
      dequantizeQ6K(bytes, out);
      return;
    default:
      throw new UnsupportedError(`gguf: type ${type} is not supported`);
  }
}

function bytesOf(view: Float32Array | Uint16Array): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

/** A tensor of a GGUF file, read by rows. */
export class GgufTensor implements CheckpointTensor {
  readonly name: string;
  readonly dims: readonly number[];
  readonly storedType: string;
  readonly byteLength: number;
  readonly #info: GgufTensorInfo;
  readonly #source: ByteSource;

  constructor(info: GgufTensorInfo, source: ByteSource) {
    this.name = info.name;
    this.dims = info.dims;
    this.storedType = info.type.name;
    this.byteLength = info.byteLength;
    this.#info = info;
    this.#source = source;
  }

  #requireSupported(): void {
    if (isSupportedType(this.storedType)) return;
    throw new UnsupportedError(
      `gguf: ${this.#source.name}: tensor "${this.name}": type ${this.storedType} is not supported; ` +
        `supported: ${SUPPORTED_TYPE_NAMES}`,
    );
  }

  /** Rows of `columns` elements, each run of which is read at once and converted to planes. */
  #rowSource(
    columns: number,
    planeRowBytes: readonly number[],
    convert: (stored: Uint8Array, count: number) => Uint8Array[],
  ): RowSource {
    const { type, byteLength, offset } = this.#info;
    const storedRowBytes = (columns / type.blockSize) * type.blockBytes;
    const rows = byteLength / storedRowBytes;
    return {
      rows,
      storedRowBytes,
      planeRowBytes,
      read: async (start, count, signal) => {
        const whole = Number.isInteger(start) && Number.isInteger(count);
        if (!whole || start < 0 || count < 0 || start + count > rows) {
          throw new RequestError(
            `gguf: tensor "${this.name}": rows ${start} to ${start + count} of ${rows}`,
          );
        }
        const stored = await this.#source.read(
          offset + start * storedRowBytes,
          count * storedRowBytes,
          signal,
        );
        return convert(stored, count);
      },
    };
  }

  q4(): Q4Matrix {
    this.#requireSupported();
    const [rows = 0, columns = 0] = this.dims;
    if (this.dims.length !== 2 || columns % GROUP_SIZE !== 0) {
      throw new UnsupportedError(
        `gguf: ${this.#source.name}: tensor "${this.name}" is [${this.dims.join(", ")}]; ` +
          `4-bit matrices have two dimensions and rows of a multiple of ${GROUP_SIZE}`,
      );
    }
    const requantized = this.storedType !== "Q4_0";
    const planeRowBytes = [columns / 2, (columns / GROUP_SIZE) * 2];
    const data = this.#rowSource(columns, planeRowBytes, (stored, count) => {
      if (requantized) return this.#requantize(stored, count * columns);
      const { weight, scales } = repackQ4_0(stored);
      return [weight, bytesOf(scales)];
    });
    return { rows, columns, groupSize: GROUP_SIZE, scaleType: "f16", data, requantized };
  }

  #requantize(stored: Uint8Array, count: number): Uint8Array[] {
    const values = new Float32Array(count);
    widen(this.storedType, stored, values);
    const weight = new Uint8Array(count / 2);
    const scales = new Uint16Array(count / GROUP_SIZE);
    const lost = quantizeQ4Groups(values, GROUP_SIZE, weight, scales);
    if (lost > 0) {
      throw new FormatError(
        `gguf: ${this.#source.name}: tensor "${this.name}": ${lost} groups hold NaN, infinity or ` +
          `values too large for 4 bits`,
      );
    }
    return [weight, bytesOf(scales)];
  }

  f32(): RowSource {
    this.#requireSupported();
    // A vector's elements are its rows, so that it can be read in pieces like any other tensor;
    // blocks cannot be cut, so a quantised one is a single row.
    const inner = this.dims.at(-1) ?? 1;
    const columns = this.dims.length === 1 && this.#info.type.blockSize === 1 ? 1 : inner;
    return this.#rowSource(columns, [4 * columns], (stored, count) => {
      const values = new Float32Array(count * columns);
      widen(this.storedType, stored, values);
      return [bytesOf(values)];
    });
  }
}
