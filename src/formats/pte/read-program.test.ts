import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { FormatError, RequestError, UnsupportedError } from "../../errors.ts";
import { readRange } from "./byte-range.ts";
import { i32, i64, i64s, string, table, tables } from "./flatbuffer-writer.test-support.ts";
import type { Field } from "./flatbuffer-writer.test-support.ts";
import type { Method, Program } from "./program.ts";
import {
  delegateEntry,
  fixture,
  fixtureBytes,
  floatBytes,
  floatTensor,
  inlineBytes,
  memorySource,
  plan,
  program,
  pteFile,
  readForward,
  segmentTables,
} from "./pte-writer.test-support.ts";
import { readProgram } from "./read-program.ts";

const FIXTURES = "tests/fixtures/pte";
const STORIES = "models/stories-14m/pte/stories-14m-4w.pte";

const readBytes = (data: Uint8Array): Promise<Program> => readProgram(memorySource(data));

const f32Values = (data: Uint8Array): number[] => [...new Float32Array(data.slice().buffer)];

describe("programs written by the exporter", () => {
  const names = readdirSync(new URL(`../../../${FIXTURES}`, import.meta.url));
  const paths = names.filter((name) => name.endsWith(".pte")).map((name) => `${FIXTURES}/${name}`);

  test.each([...paths, STORIES])("%s", async (path) => {
    const source = fixture(path);
    const { methods, segments, version } = await readProgram(source);
    expect(version).toBe(0);
    const method = methods.get("forward") as Method;
    expect(method.delegates.map(({ id }) => id)).toEqual(["VulkanBackend"]);
    expect(method.delegates[0]?.blob).toBe(segments[1]);
    // Only the tables were read: weights and graph stay in the file.
    expect(source.bytesRead).toBeLessThanOrEqual((segments[0]?.offset ?? 0) + 64);
  });

  test("a Llama's inputs, outputs and delegate call", async () => {
    const { methods, namedData } = await readProgram(fixture(STORIES));
    const { values, inputs, outputs, chains, poolByteLengths } = methods.get("forward") as Method;
    expect([...inputs, ...outputs].map((index) => values[index])).toEqual([
      {
        kind: "tensor",
        type: "i64",
        sizes: [1, 511],
        dimOrder: [0, 1],
        dynamism: "bounded",
        data: { kind: "caller" },
      },
      {
        kind: "tensor",
        type: "i64",
        sizes: [1],
        dimOrder: [0],
        dynamism: "static",
        data: { kind: "caller" },
      },
      {
        kind: "tensor",
        type: "f32",
        sizes: [1, 4096],
        dimOrder: [0, 1],
        dynamism: "static",
        data: { kind: "planned", pool: 1, offset: 0 },
      },
    ]);
    expect(poolByteLengths).toEqual([0, 4096 * 4]);
    expect(chains).toEqual([
      {
        inputs: [],
        outputs: [],
        instructions: [{ kind: "delegate", delegate: 0, args: [0, 1, 2] }],
      },
    ]);
    expect(namedData.size).toBe(135);
  });

  test("caches that are inputs are copied back by the program", async () => {
    const path = `${FIXTURES}/sdpa_gqa10_2_d20_c29_ext_scale.pte`;
    const method = (await readProgram(fixture(path))).methods.get("forward") as Method;
    expect(method.operators).toEqual([{ name: "aten::copy_", overload: "" }]);
    const [call, ...copies] = method.chains[0]?.instructions ?? [];
    expect(call).toMatchObject({ kind: "delegate", args: { length: 8 } });
    expect(copies).toHaveLength(2);
    for (const copy of copies) {
      expect(copy).toMatchObject({ kind: "kernel", operator: 0 });
      if (copy.kind !== "kernel") continue;
      const [self, , nonBlocking, out] = copy.args;
      expect(out).toBe(self);
      expect(method.outputs).toContain(self);
      expect(method.values[nonBlocking as number]).toEqual({ kind: "bool", value: false });
    }
  });

  test("segments are read by part", async () => {
    const path = `${FIXTURES}/q4_bias_5x64x40_g32.pte`;
    const program = await readProgram(fixture(path));
    expect(new TextDecoder().decode(await program.readSegment(1, 4, 4))).toBe("VH00");
    expect((await program.readSegment(1, 900)).length).toBe(12);
    expect(program.segments[0]?.byteLength).toBe(0);
    expect(await program.readSegment(0)).toEqual(new Uint8Array(0));
    await expect(program.readSegment(1, 900, 13)).rejects.toThrow(RequestError);
    await expect(program.readSegment(1, -1)).rejects.toThrow(RequestError);
    await expect(program.readSegment(5)).rejects.toThrow(RequestError);
  });

  test("reading can be aborted", async () => {
    const reason = new Error("enough");
    await expect(readProgram(fixture(STORIES), AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});

describe("the file's head", () => {
  const llama = fixtureBytes(`${FIXTURES}/llama_tiny_4w_dyn.pte`);
  const changed = (offset: number, ...items: number[]): Uint8Array => {
    const copy = llama.slice();
    copy.set(items, offset);
    return copy;
  };

  test.each([
    ["no program", new Uint8Array(100), FormatError, /no "ET12" at byte 4/],
    ["nothing", new Uint8Array(0), FormatError, /no "ET12"/],
    ["another version", changed(6, 0x31, 0x33), UnsupportedError, /format ET13 .* only ET12/],
    ["a short header", changed(12, 23), FormatError, /a header of 23 bytes/],
    ["a program inside the header", changed(16, 39, 0), FormatError, /a program of 39 bytes/],
    ["a program past the end", changed(18, 2), FormatError, /a program of \d+ bytes in a file of/],
    ["a program past 2^53", changed(23, 1), FormatError, /program size: \d+ is no size/],
    ["segments in the program", changed(25, 1), FormatError, /after a program of/],
    ["segments past the end", changed(34, 0xff), FormatError, /segments: bytes .* pass the end/],
    ["a truncated file", llama.subarray(0, 80_000), FormatError, /segments: bytes .* pass the end/],
    ["a program of 8 bytes", program([]).subarray(0, 8), FormatError, /outside the buffer/],
  ])("%s", async (_, data, kind, message) => {
    await expect(readBytes(data)).rejects.toThrow(kind);
    await expect(readBytes(data)).rejects.toThrow(message);
  });

  test("an older header does not say how long the segments are", async () => {
    const older = changed(12, 24, 0, 0, 0);
    older.fill(0xff, 32, 40);
    expect((await readBytes(older)).segments).toHaveLength(38);
  });

  test("segments need a header", async () => {
    const data = program([], { 4: segmentTables([floatBytes([1])]) });
    await expect(readBytes(data)).rejects.toThrow(/header says that it has no segments/);
  });
});

describe("programs without segments", () => {
  test("carry constants and delegates inside", async () => {
    const data = program(
      [
        plan({
          values: [floatTensor({ 5: i32(1) })],
          delegates: [delegateEntry(0, 1)],
        }),
      ],
      {
        2: tables([table({}), inlineBytes(floatBytes([1.5, -2]))]),
        3: tables([inlineBytes(new Uint8Array([9])), inlineBytes(new Uint8Array([4, 5, 6]))]),
      },
    );
    const { methods, segments } = await readBytes(data);
    expect(segments).toEqual([]);
    const method = methods.get("forward") as Method;
    const [constant] = method.values;
    if (constant?.kind !== "tensor" || constant.data.kind !== "constant") throw new Error("kind");
    expect(f32Values(await readRange(constant.data.range))).toEqual([1.5, -2]);
    const [delegate] = method.delegates;
    if (delegate === undefined) throw new Error("no delegate");
    expect([...(await readRange(delegate.blob))]).toEqual([4, 5, 6]);
  });

  test("constants must be long enough", async () => {
    const parts = { values: [floatTensor({ 5: i32(1) })] };
    const fields = { 2: tables([table({}), inlineBytes(floatBytes([1]))]) };
    await expect(readForward(parts, fields)).rejects.toThrow(/bytes 0…8 pass the end at 4/);
  });
});

describe("tables of the program", () => {
  test.each<[string, Uint8Array, RegExp]>([
    ["two methods of one name", program([plan({}), plan({})]), /"forward" occurs twice/],
    [
      "a delegate in no segment",
      program([plan({ delegates: [delegateEntry(1, 0)] })]),
      /segment 0, but there are 0/,
    ],
    [
      "an inline delegate that is not there",
      program([plan({ delegates: [delegateEntry(0, 0)] })]),
      /inline delegate 0, but there are 0/,
    ],
    [
      "a delegate in an unknown place",
      program([plan({ delegates: [delegateEntry(2, 0)] })]),
      /data location 2 is not supported/,
    ],
    [
      "named data in no segment",
      program([], { 7: tables([table({ 0: string("key") })]) }),
      /segment 0, but there are 0/,
    ],
    [
      "constants in no segment",
      program([], { 5: table({ 0: i32(1), 1: i64s([0n]) }) }),
      /constant_segment: segment 1/,
    ],
    [
      "too many delegates",
      program([plan({ delegates: Array.from({ length: 1025 }, () => delegateEntry(0, 0)) })]),
      /1025 delegates; at most 1024/,
    ],
  ])("refused: %s", async (_, data, message) => {
    await expect(readBytes(data)).rejects.toThrow(message);
  });

  test("refused: segments and constants past the end", async () => {
    const segment = [floatBytes([1])];
    const segments = (offset: bigint, size: bigint): Record<number, Field> => ({
      4: tables([table({ 0: i64(offset), 1: i64(size) })]),
    });
    const file = (fields: Record<number, Field>): Promise<Program> =>
      readBytes(pteFile(program([], fields), segment));
    await expect(file(segments(0n, 4n))).resolves.toBeDefined();
    await expect(file(segments(0n, 5n))).rejects.toThrow(
      /segments\[0\]: bytes 0…5 pass the end at 4/,
    );
    await expect(file(segments(-1n, 1n))).rejects.toThrow(/is no size or offset/);
    const constants = { ...segments(0n, 4n), 5: table({ 1: i64s([0n, 5n]) }) };
    await expect(file(constants)).rejects.toThrow(/constant_segment: bytes 5…5 pass the end at 4/);
  });
});
