/** Mutated files give `FormatError` or `UnsupportedError`, or read; never anything else. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FormatError, UnsupportedError } from "../../errors.ts";
import { formatProgramSummary } from "./format-summary.ts";
import { inspectProgram } from "./inspect.ts";
import { bytes, i32s, table, u8 } from "./flatbuffer-writer.test-support.ts";
import { fixtureBytes, floatBytes, memorySource, ptdFile } from "./pte-writer.test-support.ts";
import { readProgram } from "./read-program.ts";
import { readPtd } from "./read-ptd.ts";

const RUNS = process.env["TETRAD_HEAVY"] === "1" ? 10_000 : 1_000;
const SEED = 20261121;

/** What a file may cost: the tables, the head again, and each graph once more for its header. */
const READS_PER_BYTE = 3;

interface Original {
  readonly name: string;
  readonly data: Uint8Array;
  /** Ranges that hold tables: weights are inert. */
  readonly tables: readonly (readonly [start: number, end: number])[];
}

async function original(name: string): Promise<Original> {
  const data = fixtureBytes(`tests/fixtures/pte/${name}.pte`);
  const { segments, methods } = await readProgram(memorySource(data));
  const blobs = [...methods.values()].flatMap(({ delegates }) => delegates.map(({ blob }) => blob));
  return {
    name,
    data,
    tables: [
      [0, segments[0]?.offset ?? data.length],
      ...blobs.map(({ offset, byteLength }) => [offset, offset + byteLength] as const),
    ],
  };
}

/** A change at a fraction of the tables: positions scale with whichever file is changed. */
type Mutation =
  | { readonly kind: "flip"; readonly at: number; readonly bit: number }
  | { readonly kind: "byte"; readonly at: number; readonly value: number }
  | { readonly kind: "word"; readonly at: number; readonly value: number }
  | { readonly kind: "copy"; readonly at: number; readonly from: number }
  | { readonly kind: "truncate"; readonly at: number };

/** Evenly spread, which doubles drawn by their bits are not. */
const fraction = fc.nat(2 ** 30 - 1).map((value) => value / 2 ** 30);

const extremes = [0, 1, 4, 0x7f, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_fff0, 0xffff_ffff];

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("flip" as const), at: fraction, bit: fc.nat(7) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("byte" as const), at: fraction, value: fc.nat(255) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("word" as const),
      at: fraction,
      value: fc.constantFrom(...extremes),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("copy" as const), at: fraction, from: fraction }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("truncate" as const), at: fraction }) },
);

const mutations = fc.array(mutation, { minLength: 1, maxLength: 6 });

function position({ tables }: Original, at: number): number {
  const total = tables.reduce((sum, [start, end]) => sum + end - start, 0);
  let left = Math.floor(at * total);
  for (const [start, end] of tables) {
    if (left < end - start) return start + left;
    left -= end - start;
  }
  return 0;
}

function mutate(file: Original, changes: readonly Mutation[]): Uint8Array {
  let data = file.data.slice();
  for (const change of changes) {
    const at = position(file, change.at);
    if (change.kind === "truncate") data = data.slice(0, Math.floor(change.at * data.length));
    if (at >= data.length) continue;
    const word = at & ~3;
    if (change.kind === "flip") data[at] = (data[at] as number) ^ (1 << change.bit);
    if (change.kind === "byte") data[at] = change.value;
    if (word + 4 > data.length) continue;
    if (change.kind === "word") new DataView(data.buffer).setUint32(word, change.value, true);
    if (change.kind === "copy") {
      const from = position(file, change.from) & ~3;
      data.set(data.slice(from, from + 4), word);
    }
  }
  return data;
}

/** True where the data was read, false where it was refused in the right way. */
async function reads(read: () => Promise<unknown>): Promise<boolean> {
  try {
    await read();
    return true;
  } catch (error) {
    if (error instanceof FormatError || error instanceof UnsupportedError) return false;
    throw error;
  }
}

async function check(file: Original, read: (data: Uint8Array) => Promise<unknown>): Promise<void> {
  let accepted = 0;
  await fc.assert(
    fc.asyncProperty(mutations, async (changes) => {
      if (await reads(() => read(mutate(file, changes)))) accepted++;
    }),
    { numRuns: RUNS, seed: SEED },
  );
  // Both ends: mutations that are always refused, or never, would test nothing.
  expect(accepted).toBeGreaterThan(RUNS / 50);
  expect(accepted).toBeLessThan(RUNS);
}

async function readWhole(data: Uint8Array): Promise<void> {
  const source = memorySource(data);
  const program = await readProgram(source);
  formatProgramSummary(await inspectProgram(program));
  const delegates = [...program.methods.values()].flatMap((method) => method.delegates);
  expect(source.bytesRead).toBeLessThanOrEqual((READS_PER_BYTE + delegates.length) * data.length);
}

describe("mutated programs and their delegates", () => {
  test.each(["q4_bias_5x64x40_g32", "sdpa_gqa10_2_d20_c29_ext_scale", "llama_tiny_4w_static"])(
    "%s",
    async (name) => {
      await check(await original(name), readWhole);
    },
  );
});

test("mutated data files", async () => {
  const layout = table({ 0: u8(6), 1: i32s([1, 2]), 2: bytes([0, 1]) });
  const data = ptdFile({ a: floatBytes([1, 2]), b: floatBytes([3, 4, 5]) }, layout);
  const file = { name: "ptd", data, tables: [[0, data.length - 140]] as const };
  await check(file, (mutated) => readPtd(memorySource(mutated)));
});
