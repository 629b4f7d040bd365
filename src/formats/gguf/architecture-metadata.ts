import { FormatError, UnsupportedError } from "../../errors.ts";
import type { GgufFile, GgufValue } from "./read.ts";

/** Typed access to `{architecture}.…` metadata. */
export class ArchitectureMetadata {
  readonly #file: GgufFile;
  readonly #prefix: string;
  readonly #source: string;

  constructor(file: GgufFile, prefix: string, source: string) {
    this.#file = file;
    this.#prefix = prefix;
    this.#source = source;
  }

  get(key: string): GgufValue | undefined {
    return this.#file.metadata.get(`${this.#prefix}.${key}`);
  }

  /** An integer from 1 to `most`. */
  size(key: string, most: number, fallback?: number): number {
    const value = this.get(key) ?? fallback;
    if (Array.isArray(value)) {
      // Hybrid models list a value a layer.
      throw new UnsupportedError(`${this.#where(key)} differs by layer, which is not supported`);
    }
    if (typeof value !== "number" || !Number.isInteger(value) || value < 1 || value > most) {
      throw this.#error(key, value, `an integer from 1 to ${most}`);
    }
    return value;
  }

  /** A positive finite number. */
  positive(key: string, fallback?: number): number {
    const value = this.get(key) ?? fallback;
    if (typeof value !== "number" || !Number.isFinite(value) || value <= 0) {
      throw this.#error(key, value, "a number above 0");
    }
    return value;
  }

  #where(key: string): string {
    return `gguf: ${this.#source}: metadata "${this.#prefix}.${key}"`;
  }

  #error(key: string, value: GgufValue | undefined, wanted: string): FormatError {
    return new FormatError(`${this.#where(key)} is ${describeValue(value)}; must be ${wanted}`);
  }
}

/** A metadata value in a message. */
export function describeValue(value: GgufValue | undefined): string {
  if (value === undefined) return "missing";
  if (typeof value === "string") return JSON.stringify(value);
  return typeof value === "object" ? `an array of ${value.length}` : String(value);
}
