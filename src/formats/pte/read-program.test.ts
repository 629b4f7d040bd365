import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { FormatError, RequestError, UnsupportedError } from "../../errors.ts";
import { readRange } from "./byte-range.ts";
import {
  bytes,
  f64,
  i32,
  i32s,
  i64,
  i64s,
  string,
  table,
  tables,
  u8,
} from "./flatbuffer-writer.test-support.ts";
import type { Field, Written } from "./flatbuffer-writer.test-support.ts";
import type { Method, Program } from "./program.ts";
import {
  delegateEntry,
  fixture,
  fixtureBytes,
  floatBytes,
  inlineBytes,
  instruction,
  memorySource,
  plan,
  program,
  pteFile,
  segmentTables,
  value,
} from "./pte-writer.test-support.ts";
import type { PlanParts } from "./pte-writer.test-support.ts";
import { readProgram } from "./read-program.ts";

const FIXTURES = "tests/fixtures/pte";
const STORIES = "models/stories-14m/pte/stories-14m-4w.pte";

const readBytes = (data: Uint8Array): Promise<Program> => readProgram(memorySource(data));

async function forward(parts: PlanParts, fields?: Record<number, Field>): Promise<Method> {
  const { methods } = await readBytes(program([plan(parts)], fields));
  return methods.get("forward") as Method;
}

const tensor = (fields: Record<number, Field>): Written =>
  value(5, { 0: u8(6), 2: i32s([2]), 3: bytes([0]), ...fields });

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
          values: [tensor({ 5: i32(1) })],
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
    const parts = { values: [tensor({ 5: i32(1) })] };
    const fields = { 2: tables([table({}), inlineBytes(floatBytes([1]))]) };
    await expect(forward(parts, fields)).rejects.toThrow(/bytes 0…8 pass the end at 4/);
  });
});

describe("values", () => {
  test("of every kind", async () => {
    const { values } = await forward({
      values: [
        value(1),
        value(2, { 0: i64(2n ** 63n - 1n) }),
        value(2),
        value(3, { 0: u8(1) }),
        value(4, { 0: f64(0.25) }),
        value(6, { 0: string("ASYMMETRIC") }),
        value(7, { 0: i64s([1n, 2n]) }),
        value(8, { 0: i64s([]) }),
        value(9, { 0: bytes([1, 0]) }),
        value(10, { 0: i32s([12]) }),
        value(11, { 0: i32s([-1, 12]) }),
        tensor({ 8: u8(2), 2: i32s([]), 3: bytes([]) }),
        tensor({ 9: table({ 1: string("weight"), 2: u8(1) }), 5: i32(3) }),
      ],
    });
    const scalar = { kind: "tensor", type: "f32", sizes: [], dimOrder: [] };
    expect(values).toEqual([
      { kind: "null" },
      { kind: "int", value: 2n ** 63n - 1n },
      { kind: "int", value: 0n },
      { kind: "bool", value: true },
      { kind: "double", value: 0.25 },
      { kind: "string", value: "ASYMMETRIC" },
      { kind: "intList", items: [1, 2] },
      { kind: "doubleList", items: [] },
      { kind: "boolList", items: [true, false] },
      { kind: "tensorList", items: [12] },
      { kind: "optionalTensorList", items: [undefined, 12] },
      { ...scalar, dynamism: "unbounded", data: { kind: "caller" } },
      {
        kind: "tensor",
        type: "f32",
        sizes: [2],
        dimOrder: [0],
        dynamism: "static",
        data: { kind: "external", name: "weight" },
      },
    ]);
  });

  test("constants and initial values in segments", async () => {
    const segments = [floatBytes([1, 2, 3]), floatBytes([4, 5, 6, 7])];
    const body = program(
      [
        plan({
          values: [
            tensor({ 5: i32(1) }),
            tensor({ 5: i32(1), 6: table({ 0: i32(1), 1: i32(8) }) }),
          ],
          pools: i64s([0n, 16n]),
        }),
      ],
      {
        4: segmentTables(segments),
        5: table({ 0: i32(0), 1: i64s([0n, 4n]) }),
        6: tables([table({ 0: i32(1), 1: i64s([0n, 8n]) })]),
      },
    );
    const { methods } = await readBytes(pteFile(body, segments));
    const data = (methods.get("forward") as Method).values.map((item) => {
      if (item.kind !== "tensor") throw new Error("kind");
      return item.data;
    });
    const [constant, mutable] = data;
    if (constant?.kind !== "constant" || mutable?.kind !== "mutable") throw new Error("kind");
    expect(f32Values(await readRange(constant.range))).toEqual([2, 3]);
    expect(f32Values(await readRange(mutable.range))).toEqual([6, 7]);
    expect(mutable).toMatchObject({ pool: 1, offset: 8 });
  });

  const pools = i64s([0n, 16n]);
  test.each<[string, PlanParts, typeof FormatError | typeof UnsupportedError, RegExp]>([
    ["value type 12", { values: [value(12)] }, UnsupportedError, /value type 12 .* 1 to 11/],
    ["value type 0", { values: [value(0)] }, UnsupportedError, /value type 0/],
    ["no value", { values: [table({ 0: u8(2) })] }, FormatError, /values\[0\]\.val: missing/],
    ["element type 13", { values: [tensor({ 0: u8(13) })] }, UnsupportedError, /type 13 .*f32/],
    ["dynamism 3", { values: [tensor({ 8: u8(3) })] }, UnsupportedError, /dynamism 3/],
    ["storage offset", { values: [tensor({ 1: i32(1) })] }, UnsupportedError, /storage offset 1/],
    [
      "negative size",
      { values: [tensor({ 2: i32s([-1]) })] },
      FormatError,
      /negative size in \[-1\]/,
    ],
    ["order too short", { values: [tensor({ 3: bytes([]) })] }, FormatError, /order \[\] of 1/],
    [
      "order out of range",
      { values: [tensor({ 3: bytes([1]) })] },
      FormatError,
      /order \[1\] of 1/,
    ],
    [
      "order repeated",
      { values: [tensor({ 2: i32s([1, 1]), 3: bytes([0, 0]) })] },
      FormatError,
      /order \[0, 0\] of 2/,
    ],
    [
      "size beyond 2^53",
      { values: [tensor({ 2: i32s([2 ** 30, 2 ** 30]), 3: bytes([0, 1]) })] },
      FormatError,
      /larger than any file/,
    ],
    [
      "17 dimensions",
      { values: [tensor({ 2: i32s(Array.from({ length: 17 }, () => 1)) })] },
      FormatError,
      /17 dimensions; a tensor has at most 16/,
    ],
    [
      "unknown constant",
      { values: [tensor({ 5: i32(1) })] },
      FormatError,
      /constant 1, but there are 0/,
    ],
    [
      "location 2",
      { values: [tensor({ 9: table({ 2: u8(2) }) })] },
      UnsupportedError,
      /data location 2/,
    ],
    [
      "external without name",
      { values: [tensor({ 9: table({ 2: u8(1) }) })] },
      FormatError,
      /fully_qualified_name: missing/,
    ],
    [
      "pool 0",
      { values: [tensor({ 2: i32s([0]), 6: table({}) })], pools },
      FormatError,
      /memory pool 0 is reserved/,
    ],
    [
      "unknown pool",
      { values: [tensor({ 6: table({ 0: i32(2) }) })], pools },
      FormatError,
      /memory pool 2, but there are 2/,
    ],
    [
      "past the pool",
      { values: [tensor({ 6: table({ 0: i32(1), 1: i32(12) }) })], pools },
      FormatError,
      /bytes 12…20 of a memory pool of 16/,
    ],
    [
      "offset beyond 32 bits",
      { values: [tensor({ 6: table({ 0: i32(1), 2: i32(1) }) })], pools },
      FormatError,
      /bytes 4294967296…/,
    ],
    ["negative pool", { pools: i64s([-1n]) }, FormatError, /-1 is no size/],
    [
      "list item",
      { values: [value(10, { 0: i32s([1]) })] },
      FormatError,
      /value 1, but there are 1/,
    ],
    ["int list item", { values: [value(7, { 0: i64s([-1n]) })] }, FormatError, /-1 is no size/],
    ["optional item", { values: [value(11, { 0: i32s([-2]) })] }, FormatError, /value -2/],
    ["input", { inputs: [0] }, FormatError, /inputs: value 0, but there are 0/],
    ["output", { values: [value(1)], outputs: [-1] }, FormatError, /outputs: value -1/],
    ["name", { name: "" }, FormatError, /name: missing/],
  ])("refused: %s", async (_, parts, kind, message) => {
    await expect(forward(parts)).rejects.toThrow(kind);
    await expect(forward(parts)).rejects.toThrow(message);
  });
});

describe("instructions", () => {
  const values = [value(1), value(3)];

  test("of every kind", async () => {
    const { chains } = await forward(
      {
        values,
        operators: ["aten::copy_"],
        delegates: [delegateEntry(0, 0)],
        instructions: [
          instruction(1, { 1: i32s([0, 1]) }),
          instruction(2, { 1: i32s([1]) }),
          instruction(3, { 1: i32(1) }),
          instruction(4, { 0: i32(1), 1: i32(5) }),
          instruction(5, { 0: i32(1) }),
        ],
      },
      { 3: tables([inlineBytes(new Uint8Array(1))]) },
    );
    expect(chains[0]?.instructions).toEqual([
      { kind: "kernel", operator: 0, args: [0, 1] },
      { kind: "delegate", delegate: 0, args: [1] },
      { kind: "move", from: 0, to: 1 },
      { kind: "jumpFalse", condition: 1, destination: 5 },
      { kind: "free", value: 1 },
    ]);
  });

  test.each<[string, Written, typeof FormatError | typeof UnsupportedError, RegExp]>([
    ["type 6", instruction(6), UnsupportedError, /instruction type 6/],
    ["operator", instruction(1), FormatError, /operator 0, but there are 0/],
    ["delegate", instruction(2), FormatError, /delegate 0, but there are 0/],
    ["move from", instruction(3, { 0: i32(2) }), FormatError, /move_from: value 2/],
    ["move to", instruction(3, { 1: i32(-1) }), FormatError, /move_to: value -1/],
    ["jump on", instruction(4, { 0: i32(9) }), FormatError, /cond_value_index: value 9/],
    [
      "jump to",
      instruction(4, { 1: i32(2) }),
      FormatError,
      /jump to instruction 2, but there are 1/,
    ],
    ["jump back past the start", instruction(4, { 1: i32(-1) }), FormatError, /instruction -1/],
    ["free", instruction(5, { 0: i32(2) }), FormatError, /value_index: value 2/],
  ])("refused: %s", async (_, entry, kind, message) => {
    await expect(forward({ values, instructions: [entry] })).rejects.toThrow(kind);
    await expect(forward({ values, instructions: [entry] })).rejects.toThrow(message);
  });

  test("refused: arguments out of range", async () => {
    const instructions = [instruction(1, { 1: i32s([2]) })];
    const parts = { values, operators: ["aten::copy_"], instructions };
    await expect(forward(parts)).rejects.toThrow(/args: value 2, but there are 2/);
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
