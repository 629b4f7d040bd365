import { describe, expect, test } from "vitest";
import { FormatError, UnsupportedError } from "../../errors.ts";
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
import type { Written } from "./flatbuffer-writer.test-support.ts";
import type { Method } from "./program.ts";
import {
  delegateEntry,
  floatBytes,
  floatTensor,
  inlineBytes,
  instruction,
  memorySource,
  plan,
  program,
  pteFile,
  readForward,
  segmentTables,
  value,
} from "./pte-writer.test-support.ts";
import type { PlanParts } from "./pte-writer.test-support.ts";
import { readProgram } from "./read-program.ts";

const f32Values = (data: Uint8Array): number[] => [...new Float32Array(data.slice().buffer)];

describe("values", () => {
  test("of every kind", async () => {
    const { values } = await readForward({
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
        floatTensor({ 8: u8(2), 2: i32s([]), 3: bytes([]) }),
        floatTensor({ 9: table({ 1: string("weight"), 2: u8(1) }), 5: i32(3) }),
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
            floatTensor({ 5: i32(1) }),
            floatTensor({ 5: i32(1), 6: table({ 0: i32(1), 1: i32(8) }) }),
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
    const { methods } = await readProgram(memorySource(pteFile(body, segments)));
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
    [
      "element type 13",
      { values: [floatTensor({ 0: u8(13) })] },
      UnsupportedError,
      /type 13 .*f32/,
    ],
    ["dynamism 3", { values: [floatTensor({ 8: u8(3) })] }, UnsupportedError, /dynamism 3/],
    [
      "storage offset",
      { values: [floatTensor({ 1: i32(1) })] },
      UnsupportedError,
      /storage offset 1/,
    ],
    [
      "negative size",
      { values: [floatTensor({ 2: i32s([-1]) })] },
      FormatError,
      /negative size in \[-1\]/,
    ],
    [
      "order too short",
      { values: [floatTensor({ 3: bytes([]) })] },
      FormatError,
      /order \[\] of 1/,
    ],
    [
      "order out of range",
      { values: [floatTensor({ 3: bytes([1]) })] },
      FormatError,
      /order \[1\] of 1/,
    ],
    [
      "order repeated",
      { values: [floatTensor({ 2: i32s([1, 1]), 3: bytes([0, 0]) })] },
      FormatError,
      /order \[0, 0\] of 2/,
    ],
    [
      "size beyond 2^53",
      { values: [floatTensor({ 2: i32s([2 ** 30, 2 ** 30]), 3: bytes([0, 1]) })] },
      FormatError,
      /larger than any file/,
    ],
    [
      "17 dimensions",
      { values: [floatTensor({ 2: i32s(Array.from({ length: 17 }, () => 1)) })] },
      FormatError,
      /17 dimensions; a tensor has at most 16/,
    ],
    [
      "unknown constant",
      { values: [floatTensor({ 5: i32(1) })] },
      FormatError,
      /constant 1, but there are 0/,
    ],
    [
      "location 2",
      { values: [floatTensor({ 9: table({ 2: u8(2) }) })] },
      UnsupportedError,
      /data location 2/,
    ],
    [
      "external without name",
      { values: [floatTensor({ 9: table({ 2: u8(1) }) })] },
      FormatError,
      /fully_qualified_name: missing/,
    ],
    [
      "pool 0",
      { values: [floatTensor({ 2: i32s([0]), 6: table({}) })], pools },
      FormatError,
      /memory pool 0 is reserved/,
    ],
    [
      "unknown pool",
      { values: [floatTensor({ 6: table({ 0: i32(2) }) })], pools },
      FormatError,
      /memory pool 2, but there are 2/,
    ],
    [
      "past the pool",
      { values: [floatTensor({ 6: table({ 0: i32(1), 1: i32(12) }) })], pools },
      FormatError,
      /bytes 12…20 of a memory pool of 16/,
    ],
    [
      "offset beyond 32 bits",
      { values: [floatTensor({ 6: table({ 0: i32(1), 2: i32(1) }) })], pools },
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
    await expect(readForward(parts)).rejects.toThrow(kind);
    await expect(readForward(parts)).rejects.toThrow(message);
  });
});

describe("instructions", () => {
  const values = [value(1), value(3)];

  test("of every kind", async () => {
    const { chains } = await readForward(
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
    await expect(readForward({ values, instructions: [entry] })).rejects.toThrow(kind);
    await expect(readForward({ values, instructions: [entry] })).rejects.toThrow(message);
  });

  test("refused: arguments out of range", async () => {
    const instructions = [instruction(1, { 1: i32s([2]) })];
    const parts = { values, operators: ["aten::copy_"], instructions };
    await expect(readForward(parts)).rejects.toThrow(/args: value 2, but there are 2/);
  });
});
