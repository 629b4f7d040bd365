import { expect, test } from "vitest";
import { GPU } from "../../tests/support/gpu-record.ts";
import { benchSvg } from "./chart-svg.ts";
import type { BenchReport } from "./report.ts";
import type { KernelRoofline } from "./roofline.ts";
import { measurementOf } from "./statistics.ts";

function kernel(name: string, part: Partial<KernelRoofline> = {}): KernelRoofline {
  return {
    kernel: name,
    shape: "2048 → 8192",
    unit: "integer-dot",
    calls: 16,
    microseconds: measurementOf([8, 9]),
    bytes: 9.4e6,
    operations: 33.5e6,
    gigabytesPerSecond: 1100,
    teraoperationsPerSecond: 3.9,
    bound: "memory",
    ofBound: 0.26,
    share: 0.4,
    ...part,
  };
}

const REPORT: BenchReport = {
  format: "tetrad-bench",
  version: 1,
  date: "2026-11-21T00:00:00.000Z",
  versions: {},
  device: { name: "A <GPU>", capabilities: GPU, dawnFeatures: [] },
  model: {
    name: "llama-3.2-1b",
    architecture: "llama",
    parameters: 1.2e9,
    randomWeights: true,
    weightBytes: 7e8,
    workingBytes: 1e8,
    contextLength: 8320,
    cacheType: "f16",
    promptChunk: 512,
  },
  method: { runs: 2, warmUps: 1, tokens: 128, prefixReuse: false },
  ceilings: {
    read: { bytesPerSecond: measurementOf([4.2e12, 4.4e12]), bytes: 2 ** 29, workgroups: 4096 },
    arithmetic: [
      { unit: "f32", kernel: "f", operationsPerSecond: measurementOf([5e13]) },
      { unit: "subgroup-matrix", kernel: "m", operationsPerSecond: measurementOf([6e14]) },
    ],
  },
  coldStarts: [{ loadMs: 900, firstTokenMs: 100, promptTokens: 128 }],
  prefill: [
    {
      promptTokens: 512,
      firstTokenMs: measurementOf([20, 22]),
      tokensPerSecond: measurementOf([25_600, 23_272]),
      dispatches: 230,
      bytes: 1e9,
      operations: 1.2e12,
      bound: "subgroup-matrix",
      boundTokensPerSecond: 100_000,
      kernels: [
        kernel("gemm", { bytes: 3e7, operations: 1.7e10, teraoperationsPerSecond: 160 }),
        kernel("copy", { operations: 0, teraoperationsPerSecond: 0 }),
      ],
    },
  ],
  decode: [
    {
      context: 128,
      tokens: 128,
      tokensPerSecond: measurementOf([900, 1100]),
      cpuMs: measurementOf([0.3]),
      gpuMs: measurementOf([0.9]),
      dispatches: 149,
      bytes: 7e8,
      operations: 2.5e9,
      bound: "memory",
      boundTokensPerSecond: 6000,
      firstTokens: [1, 2],
      kernels: [kernel("gemv & co")],
    },
  ],
  products: [],
  checks: [{ what: "w", passed: false, detail: "d" }],
  warnings: [],
};

/** Every element is closed, in order. */
function expectWellFormed(svg: string): void {
  const open: string[] = [];
  for (const [, closing, name, self] of svg.matchAll(/<(\/?)([a-z]+)[^<>]*?(\/?)>/g)) {
    if (closing === "/") expect(open.pop()).toBe(name);
    else if (self !== "/") open.push(name!);
  }
  expect(open).toEqual([]);
}

test("speed as bars with spread and bound, kernels on their roofline", () => {
  const svg = benchSvg(REPORT);
  expectWellFormed(svg);
  expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  expect(svg).toContain("llama-3.2-1b, random weights on A &#60;GPU&#62;");
  expect(svg).toContain("1 CHECKS FAILED");
  expect(svg).toContain("1,000 (900 to 1,100) tokens/s, 16.7 % of 6,000");
  expect(svg).toContain("memory, 4,300 GB/s");
  expect(svg).toContain("subgroup-matrix, 600 TOP/s");
  expect(svg).toContain("gemv &#38; co 2048 → 8192");
  // What only moves bytes has no place among operations a byte.
  expect(svg.match(/<circle/g)?.length).toBe(2);
  expect(svg).not.toContain("copy");
});

test("a faster kernel is higher, one with more operations a byte further right", () => {
  const [gemv, gemm] = [...benchSvg(REPORT).matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)].map(
    ([, x, y]) => ({ x: Number(x), y: Number(y) }),
  );
  expect(gemm!.x).toBeGreaterThan(gemv!.x);
  expect(gemm!.y).toBeLessThan(gemv!.y);
});

test("without times of kernels there are bars alone, and without prompts an empty axis", () => {
  const bare = {
    ...REPORT,
    prefill: [],
    decode: REPORT.decode.map((result) => ({ ...result, gpuMs: undefined, kernels: [] })),
  };
  const svg = benchSvg(bare);
  expectWellFormed(svg);
  expect(svg).not.toMatch(/NaN|Infinity|<circle/);
});
