/** Mutated files give `FormatError` or `UnsupportedError`, or read; never anything else. */
import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { GgufToWrite } from "../../../tests/support/gguf-writer.ts";
import { ggufBytes, list } from "../../../tests/support/gguf-writer.ts";
import type { ByteSource } from "../../byte-source.ts";
import { FormatError, UnsupportedError } from "../../errors.ts";
import { ggufCheckpoint } from "./checkpoint.ts";
import { readGguf } from "./read.ts";
import { TINY, TINY_METADATA } from "./tiny-gguf.test-support.ts";

const RUNS = process.env["TETRAD_HEAVY"] === "1" ? 10_000 : 1_000;
const SEED = 20261121;

/** What a header may read of a file that claims to be endless: one string or array, and growth. */
const MAX_HEADER_READ = 2 ** 26;
/** Rows larger than this are not worth a test's time. */
const MAX_ROW_READ = 2 ** 22;
const ENDLESS = 2 ** 50;

interface Original {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** The file's length; zeros follow `bytes`. */
  readonly byteLength: number;
  /** Ranges to change, chosen among evenly: without them most changes would hit a vocabulary. */
  readonly windows: readonly (readonly [start: number, end: number])[];
  /** Where something that looks like a length, count, dimension or offset begins. */
  readonly counts: readonly number[];
}

/** `bytes`, then zeros. Counts what is read of it. */
class ZeroPadded implements ByteSource {
  readonly name = "mutated.gguf";
  readonly byteLength: number;
  readonly #bytes: Uint8Array;
  bytesRead = 0;

  constructor(bytes: Uint8Array, byteLength: number) {
    this.#bytes = bytes;
    this.byteLength = byteLength;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(length);
    if (!whole || offset < 0 || length < 0 || offset + length > this.byteLength) {
      throw new Error(`read ${length} at ${offset} of ${this.byteLength}`);
    }
    this.bytesRead += length;
    const out = new Uint8Array(length);
    out.set(this.#bytes.subarray(offset, offset + length));
    return out;
  }

  async close(): Promise<void> {}
}

/** Offsets of 64-bit words from 1 to 2^20, and of the 32-bit types before them. */
function plausibleCounts(bytes: Uint8Array, windows: Original["windows"]): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const found: number[] = [];
  for (const [start, end] of windows) {
    for (let at = start; at + 8 <= end; at++) {
      const value = view.getBigUint64(at, true);
      if (value >= 1n && value <= 2n ** 20n) found.push(at);
    }
  }
  return found;
}

async function tinyOriginal(name: string, file: GgufToWrite): Promise<Original> {
  const bytes = await ggufBytes(file);
  const { dataOffset } = await readGguf(new ZeroPadded(bytes, bytes.length));
  const windows = [[0, dataOffset]] as const;
  const counts = plausibleCounts(bytes, windows);
  return { name, bytes, byteLength: bytes.length, windows, counts };
}

function storiesOriginal(): Original {
  const url = new URL("../../../models/stories-14m/stories-14m-q4_0.gguf", import.meta.url);
  const file = readFileSync(url);
  const dataOffset = 133280;
  const windows = [
    [0, 1100],
    [dataOffset - 4600, dataOffset],
    [0, dataOffset],
  ] as const;
  return {
    name: "stories",
    bytes: file.subarray(0, 200_000),
    byteLength: file.length,
    windows,
    counts: plausibleCounts(file, windows.slice(0, 2)),
  };
}

/** A change at a fraction of a window: positions scale with whichever file is changed. */
type Mutation =
  | { readonly kind: "flip"; readonly window: number; readonly at: number; readonly bit: number }
  | { readonly kind: "byte"; readonly window: number; readonly at: number; readonly value: number }
  | { readonly kind: "count"; readonly at: number; readonly value: bigint }
  | { readonly kind: "word"; readonly at: number; readonly value: number }
  | { readonly kind: "splice"; readonly at: number; readonly from: number; readonly length: number }
  | { readonly kind: "cut"; readonly at: number; readonly length: number }
  | { readonly kind: "truncate"; readonly at: number }
  | { readonly kind: "endless" };

/** Uniform over 0 … 1; `fc.double` is uniform over bit patterns, nearly all of which are near 0. */
const fraction = fc.nat(2 ** 30 - 1).map((value) => value / 2 ** 30);
const counts = fc.constantFrom(
  ...[0, 1, 3, 8, 22, 24, 31, 32, 40, 53, 63, 64].flatMap((power) => [
    2n ** BigInt(power) - 1n,
    2n ** BigInt(power) % 2n ** 64n,
  ]),
);
const words = fc.constantFrom(0, 1, 4, 5, 8, 9, 14, 39, 40, 0x7fffffff, 0x80000000, 0xffffffff);
const kind = <K extends string>(name: K) => fc.constant(name);

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({ kind: kind("flip"), window: fraction, at: fraction, bit: fc.nat(7) }),
  fc.record({ kind: kind("byte"), window: fraction, at: fraction, value: fc.nat(255) }),
  fc.record({ kind: kind("count"), at: fraction, value: counts }),
  fc.record({ kind: kind("word"), at: fraction, value: words }),
  fc.record({ kind: kind("splice"), at: fraction, from: fraction, length: fc.nat(64) }),
  fc.record({ kind: kind("cut"), at: fraction, length: fc.integer({ min: 1, max: 64 }) }),
  fc.record({ kind: kind("truncate"), at: fraction }),
  fc.record({ kind: kind("endless") }),
);

const pick = (from: number, to: number, at: number) => from + Math.floor(at * (to - from));

function mutate(original: Original, mutations: readonly Mutation[]): ZeroPadded {
  const { windows } = original;
  let bytes = original.bytes.slice();
  let { byteLength } = original;
  const within = (window: number, at: number) => {
    const [start, end] = windows[pick(0, windows.length, window)]!;
    return Math.min(pick(start, end, at), bytes.length - 1);
  };
  const count = (at: number) => original.counts[pick(0, original.counts.length, at)]!;
  for (const change of mutations) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const room = (at: number, size: number) => at + size <= bytes.length;
    if (bytes.length === 0) break;
    switch (change.kind) {
      case "flip":
        bytes[within(change.window, change.at)]! ^= 1 << change.bit;
        break;
      case "byte":
        bytes[within(change.window, change.at)] = change.value;
        break;
      case "count":
        if (room(count(change.at), 8)) view.setBigUint64(count(change.at), change.value, true);
        break;
      case "word": {
        // Types stand before counts, and ranks before dimensions.
        const at = count(change.at) - 4;
        if (at >= 0 && room(at, 4)) view.setUint32(at, change.value, true);
        break;
      }
      case "splice": {
        const from = within(change.at, change.from);
        const to = within(change.from, change.at);
        const piece = bytes.subarray(from, from + change.length);
        bytes = concatenate(bytes.subarray(0, to), piece, bytes.subarray(to));
        break;
      }
      case "cut": {
        const at = within(change.at, change.at);
        bytes = concatenate(bytes.subarray(0, at), bytes.subarray(at + change.length));
        break;
      }
      case "truncate":
        bytes = bytes.slice(0, pick(0, bytes.length, change.at));
        byteLength = bytes.length;
        break;
      case "endless":
        byteLength = ENDLESS;
        break;
    }
  }
  return new ZeroPadded(bytes, Math.max(byteLength, bytes.length));
}

function concatenate(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

type Outcome = "format" | "unsupported" | "read";

/** Runs `use`; anything but the two errors a file may cause goes through. */
async function outcomeOf(use: () => Promise<void>): Promise<Outcome> {
  try {
    await use();
    return "read";
  } catch (error) {
    if (error instanceof FormatError) return "format";
    if (error instanceof UnsupportedError) return "unsupported";
    throw error;
  }
}

async function load(source: ZeroPadded): Promise<void> {
  const file = await readGguf(source);
  const { tensors } = ggufCheckpoint(file, source);
  for (const tensor of [...tensors.values()].slice(0, 12)) {
    for (const rows of [() => tensor.f32(), () => tensor.q4().data]) {
      await outcomeOf(async () => {
        const data = rows();
        if (data.storedRowBytes > MAX_ROW_READ) return;
        const planes = await data.read(data.rows - 1, 1);
        expect(planes.map(({ length }) => length)).toEqual(data.planeRowBytes);
      });
    }
  }
}

test(`${RUNS} mutated files`, { timeout: 1_800_000 }, async () => {
  const nested = list("array", [list("string", ["a", "b"]), list("u16", [1, 2])]);
  const originals = [
    storiesOriginal(),
    await tinyOriginal("tiny", TINY),
    await tinyOriginal("nested", {
      ...TINY,
      version: 2,
      alignment: 64,
      metadata: { ...TINY_METADATA, nested },
      tensors: TINY.tensors.slice(0, 3),
    }),
  ];
  for (const original of originals) {
    expect(await outcomeOf(() => load(mutate(original, [])))).toBe("read");
  }
  const outcomes: Record<Outcome, number> = { format: 0, unsupported: 0, read: 0 };
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...originals.keys()),
      fc.array(mutation, { minLength: 1, maxLength: 4 }),
      async (index, mutations) => {
        const source = mutate(originals[index]!, mutations);
        outcomes[await outcomeOf(async () => void (await readGguf(source)))]++;
        expect(source.bytesRead).toBeLessThanOrEqual(Math.min(source.byteLength, MAX_HEADER_READ));
        await outcomeOf(() => load(source));
      },
    ),
    { numRuns: RUNS, seed: SEED },
  );
  // Mutations that all break the magic would test nothing.
  for (const count of Object.values(outcomes)) expect(count).toBeGreaterThan(RUNS / 100);
});
