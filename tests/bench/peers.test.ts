/** The parts of bench/peers that need none of its packages: how results are taken, checked and shown. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import type { Engine } from "../../bench/peers/engine.ts";
import { measureContext } from "../../bench/peers/measure.ts";
import { halfOrder, storeMatrix } from "../../bench/peers/onnx/q4-weights.ts";
import { WeightsFile } from "../../bench/peers/onnx/weights-file.ts";
import { measureProjection } from "../../bench/peers/projections.ts";
import type { ProjectionEngine } from "../../bench/peers/projections.ts";
import { formatResult } from "../../bench/peers/table.ts";
import { randomQ4Matrix } from "../../src/bench/random-checkpoint.ts";
import type { Q4Matrix } from "../../src/checkpoint.ts";
import { dequantizeQ4Row } from "../../src/quant/q4gsw.ts";

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

async function temporaryFile(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "tetrad-peers-test-"));
  folders.push(folder);
  return join(folder, "weights");
}

/** An engine that answers with what `answer` gives for each run. */
function engineThat(answer: (run: number) => readonly number[]): Engine {
  let run = 0;
  return {
    title: "test",
    device: "",
    async *generate() {
      yield* answer(run++);
    },
    close: () => Promise.resolve(),
  };
}

const OPTIONS = { newTokens: 3, runs: 2, vocabularySize: 10 };

test("an answer counts where it is whole and every run gives it", async () => {
  const result = await measureContext(
    engineThat(() => [1, 2, 9]),
    5,
    OPTIONS,
  );
  expect(result).toMatchObject({ context: 5, tokens: [1, 2, 9] });
  expect(result.prefill).toHaveLength(2);
  expect(result.decode).toHaveLength(2);
});

test.each([
  ["2 tokens came", () => [1, 2]],
  ["token 10 came", () => [1, 2, 10]],
  ["differ from run to run", (run: number) => [1, 2, run]],
])("an answer does not count where %s", async (message, answer) => {
  await expect(measureContext(engineThat(answer), 5, OPTIONS)).rejects.toThrow(message);
});

test("planes are stored as they are, matrices below each other", async () => {
  const path = await temporaryFile();
  const [a, b] = [randomQ4Matrix("a", 3, 64), randomQ4Matrix("b", 2, 64)];
  const file = await WeightsFile.create(path);
  const stored = await storeMatrix(file, "f16", [{ matrix: a }, { matrix: b }]);
  await file.close();
  const bytes = await readFile(path);
  const planes = await Promise.all([a.data.read(0, 3), b.data.read(0, 2)]);
  const { weight, scales } = stored;
  const at = ({ offset, length }: typeof weight) => bytes.subarray(offset, offset + length);
  expect([stored.rows, stored.columns]).toEqual([5, 64]);
  expect(at(weight)).toEqual(Buffer.concat(planes.map(([nibbles = new Uint8Array()]) => nibbles)));
  expect(at(scales)).toEqual(Buffer.concat(planes.map(([, halves = new Uint8Array()]) => halves)));
});

test("rotated neighbours move to both halves of their head", async () => {
  expect(Array.from({ length: 8 }, (_, row) => halfOrder(4)(row))).toEqual([
    0, 2, 1, 3, 4, 6, 5, 7,
  ]);
  const path = await temporaryFile();
  const matrix = randomQ4Matrix("q", 8, 32);
  const file = await WeightsFile.create(path);
  const { weight } = await storeMatrix(file, "f16", [{ matrix, order: halfOrder(4) }]);
  await file.close();
  const bytes = await readFile(path);
  const [row] = await matrix.data.read(6, 1);
  expect(Uint8Array.from(bytes.subarray(weight.offset + 5 * 16, weight.offset + 6 * 16))).toEqual(
    row,
  );
});

/** Products in f64; `wrong` is added to them. */
function exactProjections(wrong: number): ProjectionEngine {
  const product = async (matrix: Q4Matrix | undefined, x: Float32Array) => {
    const [weight, scales] = (await matrix?.data.read(0, 16)) ?? [];
    if (weight === undefined || scales === undefined) throw new Error("a matrix has two planes");
    const shape = { rows: 16, columns: 64, groupSize: 32, scaleType: "f16" } as const;
    const planes = { ...shape, weight, scales: new Uint16Array(scales.buffer) };
    const sum = (n: number) => dequantizeQ4Row(planes, n).reduce((y, w, k) => y + w * x[k]!, wrong);
    return Float32Array.from({ length: 16 }, (_, n) => sum(n));
  };
  return {
    title: "test",
    device: "",
    normalizesRow: false,
    tolerance: 1e-3,
    build: (_, matrices, x) =>
      Promise.resolve({
        run: () => product(matrices.at(-1), x),
        dispose: () => Promise.resolve(),
      }),
    close: () => Promise.resolve(),
  };
}

test("a product is timed where it is right", async () => {
  const projection = { name: "q", M: 1, K: 64, N: 16 };
  const { microseconds } = await measureProjection(exactProjections(0), projection, 3);
  expect(microseconds).toHaveLength(3);
  for (const wrong of [0.1, NaN]) {
    const measured = measureProjection(exactProjections(wrong), projection, 3);
    await expect(measured).rejects.toThrow("q of 1 rows: an output is off");
  }
});

test("tables say what is missing and how far answers agree", () => {
  const context = {
    context: 16,
    prefill: [100, 300, 200],
    decode: [5, 5.25, 5.5],
    tokens: [1, 2, 3],
  };
  const engine = { engine: "tetrad", device: "", projections: [], failure: undefined } as const;
  const text = formatResult(
    {
      name: "tiny",
      engines: [
        { ...engine, title: "a", device: "GPU", contexts: [context] },
        { ...engine, title: "b", contexts: [{ ...context, tokens: [1, 2, 4] }] },
        { ...engine, title: "c", contexts: [], failure: "no device" },
      ],
      products: [],
    },
    [16],
  );
  expect(text.split("\n")).toEqual([
    "| tiny, tokens/s | a | b | c |",
    "| --- | --- | --- | --- |",
    "| prefill 16 | 200 (100–300) | 200 (100–300) | – |",
    "| decode after 16 | 5.3 (5–5.5) | 5.3 (5–5.5) | – |",
    "",
    "- a: on GPU",
    "- b: the same tokens as a: 2 of 3 after 16",
    "- c: no device",
    "",
  ]);
});
