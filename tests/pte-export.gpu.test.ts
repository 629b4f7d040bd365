/** Programs written by `tools/export` compute what PyTorch computes. */
import { beforeAll, describe, expect, test } from "vitest";
import type { GpuDevice } from "../src/gpu/device.ts";
import { compare } from "../src/kernels/testing/compare.ts";
import { GpuTensor } from "../src/program/gpu-tensor.ts";
import type { ProgramOutput } from "../src/program/loaded-method.ts";
import { LoadedProgram } from "../src/program/loaded-program.ts";
import type { TypedTensor } from "../src/program/typed-tensor.ts";
import { requestTestDevice } from "./support/gpu.ts";
import {
  attentionFixtures,
  fixtureFloats,
  fixtureSource,
  linearFixtures,
  modelFixtures,
} from "./support/pte-export.ts";

let gpu: GpuDevice;
beforeAll(async () => {
  gpu = await requestTestDevice();
});

const floats = (data: Float32Array, ...dims: number[]): TypedTensor => ({
  type: "f32",
  dims,
  data,
});

const longs = (values: readonly number[], ...dims: number[]): TypedTensor => ({
  type: "i64",
  dims,
  data: BigInt64Array.from(values, BigInt),
});

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

const argmax = (values: Float32Array): number =>
  values.reduce((best, value, index) => (value > values[best]! ? index : best), 0);

describe("linear", () => {
  test.each(linearFixtures)("%s", async (name, { M, K, N }) => {
    const program = await LoadedProgram.load(gpu, fixtureSource(name));
    const [output] = await program.run("forward", [floats(fixtureFloats(name, "in0"), M, K)]);
    expect(output).toMatchObject({ type: "f32", dims: [M, N] });
    expectClose(host(output), fixtureFloats(name, "out0"), 1e-4, 1e-3);
    await program.dispose();
  });
});

describe("attention", () => {
  test.each(attentionFixtures)("%s", async (name, { Hq, Hkv, D, dynamic_S, steps }) => {
    const [q, k, v, golden] = ["in0", "in1", "in2", "out0"].map((part) =>
      fixtureFloats(name, part),
    ) as [Float32Array, Float32Array, Float32Array, Float32Array];
    const program = await LoadedProgram.load(gpu, fixtureSource(name));
    // At the end everything at once, as many rows as the cache holds.
    const whole = { S: golden.length / Hq / D, pos: 0 };
    for (const { S, pos } of dynamic_S ? [...steps, whole] : steps) {
      const rows = (data: Float32Array, heads: number) =>
        data.slice(pos * heads * D, (pos + S) * heads * D);
      const [output] = await program.run("forward", [
        floats(rows(q, Hq), 1, S, Hq, D),
        floats(rows(k, Hkv), 1, S, Hkv, D),
        floats(rows(v, Hkv), 1, S, Hkv, D),
        longs([pos], 1),
      ]);
      expect(output).toMatchObject({ dims: [1, S, Hq, D] });
      expectClose(host(output), rows(golden, Hq), 1e-4, 1e-3);
    }
    await program.dispose();
  });
});

describe("language models", () => {
  test.each(modelFixtures)("%s", async (name, { steps, vocab_out: V }) => {
    const golden = fixtureFloats(name, "logits");
    expect(golden.length).toBe(steps.length * V);
    const program = await LoadedProgram.load(gpu, fixtureSource(name));
    for (const [index, { tokens, pos }] of steps.entries()) {
      const inputs = [longs(tokens, 1, tokens.length), longs([pos], 1)];
      const [output] = await program.run("forward", inputs);
      const expected = golden.subarray(index * V, (index + 1) * V);
      expectClose(host(output), expected, 1e-3);
      expect(argmax(host(output))).toBe(argmax(expected));
    }
    await program.dispose();
  });
});
