import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { workgroupSize } from "./workgroup-size.ts";

const kernel = (source: string, overrides: Record<string, number> = {}) => ({
  label: "k",
  source,
  overrides,
  bindings: [],
  params: [],
});

describe("workgroupSize", () => {
  test("reads numbers, constants and overrides", () => {
    expect(workgroupSize(kernel("@compute @workgroup_size(8, 4u) fn"))).toEqual([8, 4, 1]);
    const source = "const LANES: u32 = 32u; // @param\n@compute @workgroup_size(LANES)";
    expect(workgroupSize(kernel(source))).toEqual([32, 1, 1]);
    const sized = "override SIZE: u32 = 64u;\n@compute @workgroup_size(SIZE, 1, 2)";
    expect(workgroupSize(kernel(sized))).toEqual([64, 1, 2]);
    expect(workgroupSize(kernel(sized, { SIZE: 128 }))).toEqual([128, 1, 2]);
  });

  test("can tell it of every stored kernel", () => {
    const folder = fileURLToPath(new URL("../kernels", import.meta.url));
    const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
    const shaders = files
      .filter((name) => name.endsWith(".wgsl"))
      .map((name) => ({ name, source: readFileSync(join(folder, name), "utf8") }));
    const isEntry = ({ source }: { readonly source: string }) => source.includes("@compute");
    // A kernel's constants may be declared in a helper beside it.
    const sources = shaders.filter(isEntry).map(({ name, source }) => {
      const beside = shaders.filter(
        (other) => !isEntry(other) && dirname(other.name) === dirname(name),
      );
      return [source, ...beside.map((helper) => helper.source)].join("\n");
    });
    expect(sources.length).toBeGreaterThan(30);
    for (const source of sources)
      expect(workgroupSize(kernel(source, { WORKGROUP_SIZE: 64 }))[0]).toBeGreaterThan(0);
  });

  test("computes products and quotients", () => {
    const source = [
      "override SIZE: u32 = 64u;",
      "const SIDE: u32 = 16u; // @param",
      "const LANES: u32 = SIDE * SIDE;",
      "@compute @workgroup_size(LANES, SIZE / 16 / 2, 2 * SIDE)",
    ].join("\n");
    expect(workgroupSize(kernel(source))).toEqual([256, 2, 32]);
    expect(workgroupSize(kernel(source, { SIZE: 128 }))).toEqual([256, 4, 32]);
  });

  test("says which kernel it cannot tell", () => {
    expect(() => workgroupSize(kernel("@workgroup_size(A + 2)"))).toThrow(/"k".*"A \+ 2"/);
    expect(() => workgroupSize(kernel("@workgroup_size(A)"))).toThrow(/"A" is unclear/);
    expect(() => workgroupSize(kernel("fn main() {}"))).toThrow(/"k".*unclear/);
  });
});
