import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { requestTestDevice } from "../../tests/support/gpu.ts";
import type { GpuDevice } from "../gpu/device.ts";
import { compare } from "../kernels/testing/compare.ts";
import { memorySource } from "../memory-source.ts";
import { GpuTensor } from "./gpu-tensor.ts";
import { LoadedProgram } from "./loaded-program.ts";
import type { ProgramOutput } from "./loaded-method.ts";
import type { TypedTensor } from "./typed-tensor.ts";

const FIXTURES = new URL("../../tests/fixtures/pte/", import.meta.url);

const bytes = (name: string) => new Uint8Array(readFileSync(new URL(name, FIXTURES)));
const floats = (name: string) => new Float32Array(bytes(name).buffer);

interface Step {
  readonly tokens: readonly number[];
  readonly pos: number;
}

interface Fixture {
  readonly M: number;
  readonly K: number;
  readonly N: number;
  readonly steps: readonly Step[];
  readonly vocab_out: number;
}

const manifest = JSON.parse(new TextDecoder().decode(bytes("manifest.json"))) as Record<
  string,
  Fixture
>;

let gpu: GpuDevice;
beforeAll(async () => {
  gpu = await requestTestDevice();
});

function load(name: string): Promise<LoadedProgram> {
  return LoadedProgram.load(gpu, memorySource(bytes(`${name}.pte`), name));
}

function floatTensor(data: Float32Array, ...dims: readonly number[]): TypedTensor {
  return { type: "f32", dims, data };
}

function longs(values: readonly number[], ...dims: readonly number[]): TypedTensor {
  return { type: "i64", dims, data: BigInt64Array.from(values, BigInt) };
}

function host(output: ProgramOutput | undefined): Float32Array {
  if (typeof output !== "object" || output === null || output instanceof GpuTensor) {
    throw new Error("no tensor");
  }
  return output.data as Float32Array;
}

function expectClose(actual: Float32Array, expected: Float32Array, absolute: number, relative = 0) {
  const { failures, report } = compare(actual, expected, { absolute, relative });
  expect(failures, report).toBe(0);
}

function argmax(values: Float32Array): number {
  return values.reduce((best, value, index) => (value > values[best]! ? index : best), 0);
}

describe("quantised projections", () => {
  test.each(Object.keys(manifest).filter((name) => name.startsWith("q4_")))("%s", async (name) => {
    const { M, K, N } = manifest[name]!;
    const program = await load(name);
    const [output] = await program.run("forward", [floatTensor(floats(`${name}.in0.bin`), M, K)]);
    expect(output).toMatchObject({ type: "f32", dims: [M, N] });
    expectClose(host(output), floats(`${name}.out0.bin`), 1e-4, 1e-3);
    await program.dispose();
  });
});

/** The largest logit error allowed, and whether activations were rounded to integers. */
const LLAMAS: Readonly<Record<string, { readonly tolerance: number; readonly gap: number }>> = {
  llama_tiny_4w_dyn: { tolerance: 1e-3, gap: 0 },
  llama_tiny_4w_static: { tolerance: 1e-3, gap: 0 },
  llama_tiny_4w_fp16_dyn: { tolerance: 1e-2, gap: 2e-2 },
  llama_tiny_8da4w_dyn: { tolerance: 0.1, gap: 0.1 },
};

describe("Llamas", () => {
  test.each(Object.entries(LLAMAS))("%s", async (name, { tolerance, gap }) => {
    const { steps, vocab_out: V } = manifest[name]!;
    const golden = floats(`${name}.logits.bin`);
    const program = await load(name);
    let worst = 0;
    for (const [index, { tokens, pos }] of steps.entries()) {
      const inputs = [longs(tokens, 1, tokens.length), longs([pos], 1)];
      const [output] = await program.run("forward", inputs);
      const logits = host(output);
      const expected = golden.subarray(index * V, (index + 1) * V);
      expectClose(logits, expected, tolerance);
      logits.forEach((value, i) => (worst = Math.max(worst, Math.abs(value - expected[i]!))));
      const [first = 0, second = 0] = expected.toSorted((a, b) => b - a);
      if (first - second > gap) expect(argmax(logits)).toBe(argmax(expected));
    }
    if (process.env["TETRAD_REPORT"]) console.log(name, "max error", worst);
    await program.dispose();
  });
});

describe("attention", () => {
  test("with caches in the program, a step at a time", async () => {
    const name = "sdpa_gqa6_2_d64_c77_step";
    const [q, k, v, golden] = ["in0", "in1", "in2", "out0"].map((part) =>
      floats(`${name}.${part}.bin`),
    ) as [Float32Array, Float32Array, Float32Array, Float32Array];
    const program = await load(name);
    for (let pos = 0; pos < 77; pos++) {
      const row = (data: Float32Array, heads: number) =>
        floatTensor(data.slice(pos * heads * 64, (pos + 1) * heads * 64), 1, 1, heads, 64);
      const [output] = await program.run("forward", [
        row(q, 6),
        row(k, 2),
        row(v, 2),
        longs([pos], 1),
      ]);
      expectClose(host(output), golden.subarray(pos * 384, (pos + 1) * 384), 1e-4, 1e-3);
    }
    await program.dispose();
  });

  test("with caches as inputs and outputs, which may stay on the GPU", async () => {
    const name = "sdpa_gqa10_2_d20_c29_ext_scale";
    const part = (which: string) => floats(`${name}.${which}.bin`);
    const program = await load(name);
    const rows = [
      floatTensor(part("in0"), 1, 9, 10, 20),
      floatTensor(part("in1"), 1, 9, 2, 20),
      floatTensor(part("in2"), 1, 9, 2, 20),
    ];
    const caches = [part("in3"), part("in4")].map((data) => floatTensor(data, 1, 29, 2, 20));
    const [kCache, vCache, attended] = await program.run("forward", [...rows, ...caches], {
      keep: [0, 1],
    });
    expectClose(host(attended), part("out0"), 1e-4, 1e-3);
    if (!(kCache instanceof GpuTensor) || !(vCache instanceof GpuTensor)) throw new Error("kept");
    expect((await kCache.read()).data).toEqual(part("kcache_after"));
    expect((await vCache.read()).data).toEqual(part("vcache_after"));

    // The same rows again, over caches that hold them already: nothing changes.
    const again = await program.run("forward", [...rows, kCache, vCache]);
    expect(host(again[0])).toEqual(part("kcache_after"));
    expectClose(host(again[2]), part("out0"), 1e-4, 1e-3);
    kCache.dispose();
    vCache.dispose();
    await program.dispose();
  });
});

describe("arguments that do not fit", () => {
  test("are refused before state changes", async () => {
    const program = await load("llama_tiny_4w_dyn");
    const prompt = [longs([3, 17, 5], 1, 3), longs([0], 1)];
    const step = [longs([99], 1, 1), longs([3], 1)];
    await program.run("forward", prompt);
    const [expected] = await program.run("forward", step);
    const refused: [readonly TypedTensor[], RegExp][] = [
      [[longs([1, 2], 1, 2), longs([31], 1)], /is 31; allowed: 0 to 30/],
      [[longs([1], 1, 1), longs([32], 1)], /32 is out of range/],
      [[longs([1], 1, 1), longs([-1], 1)], /-1 is out of range/],
      [[longs([1], 1, 1), longs([2 ** 31], 1)], /2147483648 does not fit 32 bits/],
      [[longs([128], 1, 1), longs([0], 1)], /token 128 .* 0 to 127/],
      [[longs([-1], 1, 1), longs([0], 1)], /token -1/],
      [[longs([2 ** 32], 1, 1), longs([0], 1)], /does not fit 32 bits/],
      [[longs([], 1, 0), longs([0], 1)], /must be \[1, 1…31\]/],
      [
        [
          longs(
            Array.from({ length: 32 }, () => 1),
            1,
            32,
          ),
          longs([0], 1),
        ],
        /must be \[1, 1…31\]/,
      ],
      [[floatTensor(new Float32Array(1), 1, 1), longs([0], 1)], /f32, must be i64/],
      [[longs([1], 1, 1)], /1 inputs, must be 2/],
    ];
    for (const [inputs, message] of refused) {
      await expect(program.run("forward", inputs)).rejects.toThrow(message);
    }
    const [after] = await program.run("forward", step);
    expect(host(after)).toEqual(host(expected));
    await program.dispose();
  });

  test("unknown methods; constant methods return their values", async () => {
    const program = await load("llama_tiny_4w_dyn");
    await expect(program.run("backward")).rejects.toThrow(
      /no method "backward"; there are: forward/,
    );
    expect(await program.run("get_eos_ids")).toEqual([2, 3]);
    expect(program.methods).toEqual(["forward"]);
    await program.dispose();
    await expect(program.run("forward")).rejects.toThrow(/disposed/);
  });
});

test("dispose frees all memory", async () => {
  const before = gpu.allocatedBytes;
  const program = await load("llama_tiny_4w_dyn");
  await program.run("forward", [longs([3, 17, 5], 1, 3), longs([0], 1)]);
  expect(gpu.allocatedBytes).toBeGreaterThan(before);
  await program.dispose();
  expect(gpu.allocatedBytes).toBe(before);
});
