import { describe, expect, test } from "vitest";
import { defineKernel } from "../gpu/kernel.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { constantParams } from "./constant-params.ts";
import { symIntRoot } from "./symint.ts";
import type { SymIntValues } from "./symint.ts";

const kernelNamed = (label: string): Kernel =>
  defineKernel({ label, parts: [`// ${label}\nstruct Params { count: u32 }`] });

const rows = symIntRoot("rows", 1, 8);
const one = kernelNamed("one");
const two = kernelNamed("two");

const fixed = (kernel: Kernel, count: number) => ({
  kernel,
  live: () => ({}),
  params: () => ({ count }),
});
const following = (kernel: Kernel) => ({
  kernel,
  live: (values: SymIntValues) => values.get(rows),
  params: (live: unknown) => ({ count: live as number }),
});

describe("constantParams", () => {
  test("are those that follow no size, the same at every use of a kernel", () => {
    expect(constantParams([fixed(one, 3), following(two), fixed(one, 3)])).toEqual([
      { count: 3 },
      undefined,
      { count: 3 },
    ]);
  });

  test("are none where uses of a kernel differ", () => {
    expect(constantParams([fixed(one, 3), fixed(one, 4), fixed(two, 4)])).toEqual([
      undefined,
      undefined,
      { count: 4 },
    ]);
    expect(constantParams([fixed(one, 3), following(one)])).toEqual([undefined, undefined]);
  });

  test("are none of a kernel without Params", () => {
    const bare = defineKernel({ label: "bare", parts: [""] });
    expect(constantParams([{ ...fixed(bare, 0), params: () => ({}) }])).toEqual([undefined]);
  });

  test("other failures are not taken for a missing size", () => {
    const broken = {
      ...fixed(one, 1),
      live: () => {
        throw new TypeError("broken");
      },
    };
    expect(() => constantParams([broken])).toThrow("broken");
  });
});
