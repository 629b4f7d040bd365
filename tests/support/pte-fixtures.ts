/**
 * Runs the programs in `tests/fixtures/pte` against their goldens, wherever there is a device: in
 * Node and, by the browser test, in a page.
 */
import type { GpuDevice } from "../../src/gpu/device.ts";
import { compare } from "../../src/kernels/testing/compare.ts";
import type { Tolerance } from "../../src/kernels/testing/compare.ts";
import { memorySource } from "../../src/memory-source.ts";
import { GpuTensor } from "../../src/program/gpu-tensor.ts";
import type { ProgramOutput } from "../../src/program/loaded-method.ts";
import { LoadedProgram } from "../../src/program/loaded-program.ts";
import type { TypedTensor } from "../../src/program/typed-tensor.ts";

/** Reads a file of the fixtures' folder. */
export type ReadFixture = (name: string) => Promise<Uint8Array>;

/** A row of `manifest.json`. */
interface Fixture {
  readonly M: number;
  readonly K: number;
  readonly N: number;
  readonly steps: readonly { readonly tokens: readonly number[]; readonly pos: number }[];
  readonly vocab_out: number;
}

export interface FixtureResult {
  readonly name: string;
  readonly maxAbsolute: number;
  /** Empty where it passed. */
  readonly failure: string;
}

const Q4: Tolerance = { absolute: 1e-4, relative: 1e-3 };

/**
 * The largest logit error allowed, and the gap between the two best logits from which on the best
 * must be the golden's (its README says why half precision and integer activations need more).
 */
const LLAMAS: Readonly<Record<string, { readonly absolute: number; readonly gap: number }>> = {
  llama_tiny_4w_dyn: { absolute: 1e-3, gap: 0 },
  llama_tiny_4w_static: { absolute: 1e-3, gap: 0 },
  llama_tiny_4w_fp16_dyn: { absolute: 1e-2, gap: 2e-2 },
  llama_tiny_8da4w_dyn: { absolute: 0.1, gap: 0.1 },
};

const Q4_FIXTURES = [
  "q4_gemv_1x64x24_g32",
  "q4_gemm_3x64x24_g32",
  "q4_gemm_96x128x136_g64",
  "q4_bias_5x64x40_g32",
];
const STEPPED_ATTENTION = "sdpa_gqa6_2_d64_c77_step";
const ATTENTION_WITH_CACHES = "sdpa_gqa10_2_d20_c29_ext_scale";

/** Every fixture there is. */
export const FIXTURE_NAMES: readonly string[] = [
  ...Q4_FIXTURES,
  ...Object.keys(LLAMAS),
  STEPPED_ATTENTION,
  ATTENTION_WITH_CACHES,
];

export function floatTensor(data: Float32Array, ...dims: readonly number[]): TypedTensor {
  return { type: "f32", dims, data };
}

export function longs(values: readonly number[], ...dims: readonly number[]): TypedTensor {
  return { type: "i64", dims, data: BigInt64Array.from(values, BigInt) };
}

/** The elements of an output that came back as a tensor of floats. */
export function hostFloats(output: ProgramOutput | undefined): Float32Array {
  if (typeof output !== "object" || output === null || output instanceof GpuTensor) {
    throw new Error("no tensor");
  }
  return output.data as Float32Array;
}

function argmax(values: Float32Array): number {
  return values.reduce((best, value, index) => (value > values[best]! ? index : best), 0);
}

/** Collects deviations of one fixture. */
class Comparison {
  maxAbsolute = 0;
  readonly failures: string[] = [];

  expectClose(what: string, actual: Float32Array, expected: Float32Array, tolerance: Tolerance) {
    const { maxAbsolute, failures, report } = compare(actual, expected, tolerance);
    this.maxAbsolute = Math.max(this.maxAbsolute, maxAbsolute);
    if (failures > 0) this.failures.push(`${what}: ${failures} elements off\n${report}`);
  }
}

/** A fixture's program and files. */
interface Opened {
  readonly program: LoadedProgram;
  readonly fixture: Fixture | undefined;
  readonly floats: (part: string) => Promise<Float32Array>;
}

async function runQ4({ program, fixture, floats }: Opened, result: Comparison) {
  const { M, K, N } = fixture!;
  const [output] = await program.run("forward", [floatTensor(await floats("in0"), M, K)]);
  const { dims } = output as TypedTensor;
  if (dims.join() !== [M, N].join()) result.failures.push(`out is [${dims.join(", ")}]`);
  result.expectClose("out", hostFloats(output), await floats("out0"), Q4);
}

async function runLlama(name: string, { program, fixture, floats }: Opened, result: Comparison) {
  const { steps, vocab_out: V } = fixture!;
  const { absolute, gap } = LLAMAS[name]!;
  const golden = await floats("logits");
  for (const [index, { tokens, pos }] of steps.entries()) {
    const inputs = [longs(tokens, 1, tokens.length), longs([pos], 1)];
    const [output] = await program.run("forward", inputs);
    const logits = hostFloats(output);
    const expected = golden.subarray(index * V, (index + 1) * V);
    result.expectClose(`step ${index}`, logits, expected, { absolute, relative: 0 });
    const [first = 0, second = 0] = expected.toSorted((a, b) => b - a);
    if (first - second > gap && argmax(logits) !== argmax(expected)) {
      result.failures.push(`step ${index}: chose ${argmax(logits)}, not ${argmax(expected)}`);
    }
  }
}

/** Caches in the program, one token a run. */
async function runSteppedAttention({ program, floats }: Opened, result: Comparison) {
  const [q, k, v, golden] = await Promise.all(["in0", "in1", "in2", "out0"].map(floats));
  for (let pos = 0; pos < 77; pos++) {
    const row = (data: Float32Array, heads: number) =>
      floatTensor(data.slice(pos * heads * 64, (pos + 1) * heads * 64), 1, 1, heads, 64);
    const inputs = [row(q!, 6), row(k!, 2), row(v!, 2), longs([pos], 1)];
    const [output] = await program.run("forward", inputs);
    const expected = golden!.subarray(pos * 384, (pos + 1) * 384);
    result.expectClose(`position ${pos}`, hostFloats(output), expected, Q4);
  }
}

/** Caches as inputs and outputs, kept on the GPU and passed back. */
async function runAttentionWithCaches({ program, floats }: Opened, result: Comparison) {
  const exact: Tolerance = { absolute: 0, relative: 0 };
  const rows = [
    floatTensor(await floats("in0"), 1, 9, 10, 20),
    floatTensor(await floats("in1"), 1, 9, 2, 20),
    floatTensor(await floats("in2"), 1, 9, 2, 20),
  ];
  const caches = await Promise.all(
    ["in3", "in4"].map(async (part) => floatTensor(await floats(part), 1, 29, 2, 20)),
  );
  const [kCache, vCache, attended] = await program.run("forward", [...rows, ...caches], {
    keep: [0, 1],
  });
  result.expectClose("out", hostFloats(attended), await floats("out0"), Q4);
  if (!(kCache instanceof GpuTensor) || !(vCache instanceof GpuTensor)) throw new Error("kept");
  const [kAfter, vAfter] = await Promise.all(["kcache_after", "vcache_after"].map(floats));
  result.expectClose("k cache", hostFloats(await kCache.read()), kAfter!, exact);
  result.expectClose("v cache", hostFloats(await vCache.read()), vAfter!, exact);
  // The same rows again, over caches that hold them already: nothing changes.
  const again = await program.run("forward", [...rows, kCache, vCache]);
  result.expectClose("k cache again", hostFloats(again[0]), kAfter!, exact);
  result.expectClose("out again", hostFloats(again[2]), await floats("out0"), Q4);
  kCache.dispose();
  vCache.dispose();
}

/** Runs one fixture on `gpu`. */
export async function runFixture(
  gpu: GpuDevice,
  read: ReadFixture,
  name: string,
): Promise<FixtureResult> {
  const result = new Comparison();
  const json = new TextDecoder().decode(await read("manifest.json"));
  const manifest = JSON.parse(json) as Readonly<Record<string, Fixture>>;
  const program = await LoadedProgram.load(gpu, memorySource(await read(`${name}.pte`), name));
  try {
    const opened: Opened = {
      program,
      fixture: manifest[name],
      floats: async (part) => new Float32Array((await read(`${name}.${part}.bin`)).slice().buffer),
    };
    if (name in LLAMAS) await runLlama(name, opened, result);
    else if (name === STEPPED_ATTENTION) await runSteppedAttention(opened, result);
    else if (name === ATTENTION_WITH_CACHES) await runAttentionWithCaches(opened, result);
    else await runQ4(opened, result);
  } finally {
    await program.dispose();
  }
  const { maxAbsolute, failures } = result;
  return { name, maxAbsolute, failure: failures.join("\n") };
}
