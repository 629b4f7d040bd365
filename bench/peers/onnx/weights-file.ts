/** The file of an ONNX model's weights: written in pieces, in any order within a tensor. */
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";

/** ONNX Runtime maps data that begins on a page, and copies other data. */
const ALIGNMENT = 4096;

/** Where a tensor's bytes are. */
export interface StoredBytes {
  readonly file: string;
  readonly offset: number;
  readonly length: number;
}

export class WeightsFile {
  readonly #file: string;
  readonly #handle: FileHandle;
  #end = 0;

  private constructor(file: string, handle: FileHandle) {
    this.#file = file;
    this.#handle = handle;
  }

  static async create(file: string): Promise<WeightsFile> {
    return new WeightsFile(file, await open(file, "w"));
  }

  /** Room for a tensor. */
  reserve(length: number): StoredBytes {
    const offset = this.#end;
    this.#end = Math.ceil((offset + length) / ALIGNMENT) * ALIGNMENT;
    return { file: this.#file, offset, length };
  }

  /** Writes `bytes` at byte `at` of a reserved tensor. */
  async write(place: StoredBytes, at: number, bytes: Uint8Array): Promise<void> {
    if (at + bytes.byteLength > place.length) {
      throw new Error(`onnx: ${at + bytes.byteLength} bytes for a tensor of ${place.length}`);
    }
    await this.#handle.write(bytes, 0, bytes.byteLength, place.offset + at);
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}
