/** The programs that `tools/export` wrote, with their inputs and goldens. */
import { readFileSync } from "node:fs";
import type { ByteSource } from "../../src/byte-source.ts";
import { memorySource } from "../../src/memory-source.ts";

const FOLDER = new URL("../fixtures/pte-export/", import.meta.url);

/** x [M, K] → [M, N]: `in0`, `out0`. */
export interface LinearFixture {
  readonly M: number;
  readonly K: number;
  readonly N: number;
  readonly bias: boolean;
}

/** q, k and v of all steps, joined over the sequence: `in0`, `in1`, `in2`, `out0`. */
export interface AttentionFixture {
  readonly op: "sdpa_with_kv_cache";
  readonly Hq: number;
  readonly Hkv: number;
  readonly D: number;
  readonly Cmax: number;
  readonly dynamic_S: boolean;
  readonly steps: readonly { readonly S: number; readonly pos: number }[];
}

/** The last token's logits of every step: `logits`. */
export interface ModelFixture {
  readonly steps: readonly { readonly tokens: readonly number[]; readonly pos: number }[];
  readonly vocab_out: number;
  readonly build: { readonly rope: "interleaved" | "half"; readonly context: number };
}

type Row = LinearFixture | AttentionFixture | ModelFixture;

const manifest = JSON.parse(readFileSync(new URL("manifest.json", FOLDER), "utf8")) as Record<
  string,
  Row
>;

/** Name and row of each fixture that `matches`. */
function rows<T extends Row>(matches: (row: Row) => row is T): readonly (readonly [string, T])[] {
  return Object.entries(manifest).flatMap(([name, row]) =>
    matches(row) ? [[name, row] as const] : [],
  );
}

export const fixtureNames: readonly string[] = Object.keys(manifest);
export const linearFixtures = rows((row): row is LinearFixture => "M" in row);
export const attentionFixtures = rows((row): row is AttentionFixture => "op" in row);
export const modelFixtures = rows((row): row is ModelFixture => "vocab_out" in row);

export function fixtureSource(name: string): ByteSource {
  return memorySource(new Uint8Array(readFileSync(new URL(`${name}.pte`, FOLDER))), name);
}

export function fixtureFloats(name: string, part: string): Float32Array {
  const bytes = new Uint8Array(readFileSync(new URL(`${name}.${part}.bin`, FOLDER)));
  return new Float32Array(bytes.buffer);
}
