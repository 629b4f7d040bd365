import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Capabilities } from "../gpu/capabilities.ts";
import { restrictCapabilities } from "../gpu/capabilities.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { linearQ4gswTunable } from "../kernels/linear_q4gsw/linear-q4gsw.ts";
import { GPU as DISCRETE_GPU } from "../../tests/support/gpu-record.ts";
import type { Candidate } from "../kernels/shared/tunable.ts";
import { digestOf, formatChoices, parseChoices, storeName } from "./stored-choices.ts";
import type { StoredChoice } from "./stored-choices.ts";

const GPU: Capabilities = {
  ...DISCRETE_GPU,
  adapter: { vendor: "v", architecture: "a", device: "d", description: "Some GPU: 1.2 (3)" },
};
type Live = { readonly M: number };

const DIGEST = "0123456789abcdef";

const choices = (entries: Record<string, StoredChoice>) => new Map(Object.entries(entries));

describe("stored choices", () => {
  test("come back as they were", () => {
    const stored = choices({
      "linear N=1": { digest: DIGEST, choice: "a/b1" },
      constructor: { digest: DIGEST, choice: "__proto__" },
    });
    expect(parseChoices(formatChoices("Some GPU", stored))).toEqual(stored);
  });

  test("are taken from sound entries alone", () => {
    const sound = { digest: DIGEST, choice: "a" };
    const text = JSON.stringify({
      format: 1,
      choices: {
        sound,
        list: [sound],
        nothing: null,
        text: "a",
        "no digest": { choice: "a" },
        "wrong digest": { digest: "xyz", choice: "a" },
        "no choice": { digest: DIGEST },
        "a number": { digest: DIGEST, choice: 1 },
        "too long": { digest: DIGEST, choice: "a".repeat(10_000) },
      },
    });
    expect(parseChoices(text)).toEqual(choices({ sound }));
  });

  test.each([
    undefined,
    "",
    "null",
    "[]",
    "{",
    '{"format":1}',
    '{"format":1,"choices":[]}',
    '{"format":2,"choices":{"a":{"digest":"0123456789abcdef","choice":"a"}}}',
    `{"format":1,"choices":{},"padding":"${" ".repeat(2 ** 20)}"}`,
  ])("are none in %j", (text) => {
    expect(parseChoices(text).size).toBe(0);
  });

  test("whatever text there is, reading it does no harm", () => {
    const written = formatChoices("d", choices({ key: { digest: DIGEST, choice: "a" } }));
    const mutated = fc
      .tuple(fc.nat(written.length - 1), fc.string({ maxLength: 4 }))
      .map(([at, piece]) => written.slice(0, at) + piece + written.slice(at + piece.length));
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), mutated), (text) => {
        for (const [key, { digest, choice }] of parseChoices(text)) {
          expect([typeof key, typeof choice]).toEqual(["string", "string"]);
          expect(digest).toMatch(/^[0-9a-f]{16}$/);
        }
      }),
    );
  });

  test("grow only so far", () => {
    const many = Array.from({ length: 3000 }, (_, i) => [`k${i}`, { digest: DIGEST, choice: "a" }]);
    const kept = parseChoices(formatChoices("d", choices(Object.fromEntries(many) as never)));
    expect(kept.size).toBe(2000);
    expect(kept.has("k2999")).toBe(true);
  });
});

describe("the name choices are kept under", () => {
  test("is readable and fit for a file", () => {
    expect(storeName(GPU, [])).toMatch(/^some-gpu-1-2-3-[0-9a-f]{16}$/);
    const nameless = { ...GPU, adapter: { ...GPU.adapter, description: "../../.." } };
    expect(storeName(nameless, [])).toMatch(/^gpu-[0-9a-f]{16}$/);
  });

  test("changes with driver, features, limits and toggles, and with nothing else", () => {
    const driver = { ...GPU, adapter: { ...GPU.adapter, description: "Some GPU: 1.3 (3)" } };
    const smaller = restrictCapabilities(GPU, { limits: { maxComputeWorkgroupSizeX: 128 } });
    const names = [
      storeName(GPU, []),
      storeName(GPU, ["disable_robustness"]),
      storeName(driver, []),
      storeName(restrictCapabilities(GPU, { integerDot: false }), []),
      storeName(smaller, []),
    ];
    expect(new Set(names).size).toBe(names.length);
    expect(storeName({ ...GPU }, [])).toBe(names[0]);
  });
});

describe("a digest", () => {
  const shape = {
    N: 64,
    K: 64,
    groupSize: 32,
    scaleType: "f16",
    hasBias: false,
    rows: "one",
  } as const;
  const tunable = linearQ4gswTunable(shape, GPU);

  test("repeats itself", () => {
    expect(digestOf(linearQ4gswTunable(shape, GPU))).toBe(digestOf(tunable));
  });

  test.each<[what: string, change: (candidate: Candidate<Live>) => Candidate<Live>]>([
    ["a candidate's name", (candidate) => ({ ...candidate, name: "else" })],
    [
      "a kernel's source",
      (candidate) => changed(candidate, (kernel) => ({ ...kernel, source: `${kernel.source} ` })),
    ],
    [
      "a workgroup size",
      (candidate) => changed(candidate, (kernel) => ({ ...kernel, overrides: { LANES: 1 } })),
    ],
  ])("changes with %s", (_, change) => {
    const [first, ...others] = tunable.candidates;
    const candidates = [change(first), ...others] as const;
    expect(digestOf({ ...tunable, candidates })).not.toBe(digestOf(tunable));
  });
});

function changed(
  { name, route }: Candidate<Live>,
  change: (kernel: Kernel) => Kernel,
): Candidate<Live> {
  const make = () => {
    const made = route();
    const dispatches = made.dispatches.map((dispatch) => ({
      ...dispatch,
      kernel: change(dispatch.kernel),
    }));
    return { ...made, dispatches };
  };
  return { name, route: make };
}
