import { describe, expect, test } from "vitest";
import {
  assemble,
  encodeParams,
  fixParams,
  parseBindings,
  parseParams,
  specialize,
  takeImmediates,
} from "./wgsl.ts";

describe("specialize", () => {
  const source = [
    "const ROW_TILE: u32 = 4u; // @param rows per workgroup",
    "const SCALE: f32 = 1.0; // @param",
    "alias Elem = f32; // @param f32 | f16",
    "const FIXED: u32 = 7u;",
  ].join("\n");

  test("rewrites marked lines and nothing else", () => {
    expect(specialize(source, { ROW_TILE: 8, SCALE: 2, Elem: "f16" }).split("\n")).toEqual([
      "const ROW_TILE: u32 = 8u; // @param rows per workgroup",
      "const SCALE: f32 = 2.0; // @param",
      "alias Elem = f16; // @param f32 | f16",
      "const FIXED: u32 = 7u;",
    ]);
  });

  test("refuses names the source does not declare", () => {
    expect(() => specialize(source, { FIXED: 1 })).toThrow(/FIXED/);
    expect(() => specialize(source, { ROW_TILES: 1 })).toThrow(/ROW_TILES/);
  });
});

describe("assemble", () => {
  test("hoists directives, once each", () => {
    const code = assemble(["enable subgroups;\nfn a() {}", "enable subgroups; // why\nfn b() {}"]);
    expect(code.match(/enable subgroups;/g)).toHaveLength(1);
    expect(code.startsWith("enable subgroups;")).toBe(true);
  });

  test("enables f16 where the code uses it, not where a comment names it", () => {
    expect(assemble(["alias Elem = f16;"])).toContain("enable f16;");
    expect(assemble(["// f16 packed in words\nalias Elem = f32;"])).not.toContain("enable f16;");
  });
});

describe("declarations", () => {
  const source = `
    struct Params { rows: u32, offset: i32, // a comment
      epsilon: f32 }
    @group(0) @binding(1) var<storage, read> x: array<f32>;
    @group(0) @binding(0) var<storage, read_write> out: array<f32>;
    @group(0) @binding(2) var<uniform> params: Params;`;

  test("bindings come by number, with their access", () => {
    expect(parseBindings(source)).toEqual([
      { binding: 0, name: "out", type: "storage" },
      { binding: 1, name: "x", type: "read-only-storage" },
      { binding: 2, name: "params", type: "uniform" },
    ]);
  });

  test("params are encoded by declared type", () => {
    const view = new DataView(new ArrayBuffer(16));
    encodeParams(parseParams(source), { rows: 4_000_000_000, offset: -2, epsilon: 0.5 }, view);
    expect([view.getUint32(0, true), view.getInt32(4, true), view.getFloat32(8, true)]).toEqual([
      4_000_000_000, -2, 0.5,
    ]);
  });

  test("params become constants or immediates", () => {
    const values = { rows: 4_000_000_000, offset: -2, epsilon: 1e-5 };
    const declared = /@binding\(2\)[^;]*;/;
    const fixed = fixParams(source, parseParams(source), values);
    expect(fixed).toBe(
      source
        .replace(declared, "const params = Params(u32(4000000000), i32(-2), f32(0.00001));")
        .replace("@group(0) const", "const"),
    );
    expect(() => fixParams(source, parseParams(source), { rows: 1, offset: 0 })).toThrow(/epsilon/);
    const immediate = takeImmediates(source);
    expect(immediate).toMatch(/^requires immediate_address_space;/);
    expect(immediate).toContain("var<immediate> params: Params;");
    expect(parseBindings(immediate).map(({ name }) => name)).toEqual(["out", "x"]);
    expect(takeImmediates("no params")).toBe("no params");
  });

  test("a missing value and a vector member are refused", () => {
    const view = new DataView(new ArrayBuffer(16));
    expect(() => encodeParams(parseParams(source), { rows: 1, offset: 0 }, view)).toThrow(
      /epsilon/,
    );
    expect(() => parseParams("struct Params { size: vec4<u32> }")).toThrow(/scalar/);
  });
});
