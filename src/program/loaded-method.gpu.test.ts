import { beforeAll, describe, expect, test } from "vitest";
import { requestTestDevice } from "../../tests/support/gpu.ts";
import { FormatError, RequestError } from "../errors.ts";
import type { Instruction, Method, ProgramValue } from "../formats/pte/program.ts";
import { RowSourceCache } from "../formats/pte/row-source-cache.ts";
import type { VkGraph, VkTensor } from "../formats/pte/vk-graph.ts";
import type { GpuDevice } from "../gpu/device.ts";
import { ConstantStore } from "../graph/constant-store.ts";
import { DelegateInstance } from "./delegate-instance.ts";
import { GpuTensor } from "./gpu-tensor.ts";
import { LoadedMethod } from "./loaded-method.ts";
import type { ProgramInput } from "./loaded-method.ts";
import type { TypedTensor } from "./typed-tensor.ts";

let gpu: GpuDevice;
beforeAll(async () => {
  gpu = await requestTestDevice();
});

const vkTensor: VkTensor = {
  kind: "tensor",
  type: "f32",
  dims: [8, 4],
  constantId: undefined,
  memoryObjectId: undefined,
  stagingType: undefined,
};

/** A delegate of one operator, f32 [≤ 8, 4] → alike: nothing in it says which dimension varies. */
function delegate(op: string, constants: ConstantStore): DelegateInstance {
  const vk: VkGraph = {
    chain: [{ nodeId: 0, name: op, args: [0, 1] }],
    values: [vkTensor, vkTensor],
    inputIds: [0],
    outputIds: [1],
    constants: [],
  };
  const sources = new RowSourceCache();
  return new DelegateInstance(gpu, vk, {
    where: "test",
    name: op,
    bounded: [true],
    sources,
    constants,
  });
}

const value: ProgramValue = {
  kind: "tensor",
  type: "f32",
  sizes: [8, 4],
  dimOrder: [0, 1],
  dynamism: "bounded",
  data: { kind: "caller" },
};

function method(instructions: readonly Instruction[], outputs: readonly number[]): LoadedMethod {
  const tables: Method = {
    name: "forward",
    values: [value, { kind: "bool", value: false }, value, value, { kind: "null" }],
    inputs: [0, 1],
    outputs,
    chains: [{ inputs: [], outputs: [], instructions }],
    operators: [{ name: "aten::copy_", overload: "" }],
    delegates: [],
    poolByteLengths: [],
  };
  const constants = new ConstantStore(gpu);
  const delegates = [
    delegate("aten.abs.default", constants),
    delegate("aten.neg.default", constants),
  ];
  return new LoadedMethod(gpu, tables, "test", delegates, new Map());
}

const matrix = (rows: number): TypedTensor => ({
  type: "f32",
  dims: [rows, 4],
  data: Float32Array.from({ length: 4 * rows }, (_, i) => (i % 2 === 0 ? i : -i)),
});

async function run(loaded: LoadedMethod, ...inputs: readonly ProgramInput[]): Promise<TypedTensor> {
  const [output] = await loaded.run(inputs, {});
  if (typeof output !== "object" || output === null || output instanceof GpuTensor) {
    throw new Error("tensor");
  }
  return output;
}

describe("a method of two delegates", () => {
  // abs, then neg unless the second input is false.
  const branching: readonly Instruction[] = [
    { kind: "delegate", delegate: 0, args: [0, 2] },
    { kind: "jumpFalse", condition: 1, destination: 4 },
    { kind: "delegate", delegate: 1, args: [2, 3] },
    { kind: "move", from: 3, to: 2 },
    { kind: "free", value: 0 },
  ];

  test("branches, moves, and runs with any sizes", async () => {
    const loaded = method(branching, [2]);
    for (const rows of [3, 8, 1, 3]) {
      const expected = Float32Array.from({ length: 4 * rows }, (_, i) => i);
      const input = matrix(rows);
      expect(await run(loaded, input, false)).toEqual({ ...input, data: expected });
      const negated = expected.map((x) => -x);
      expect((await run(loaded, input, true)).data).toEqual(negated);
    }
    await loaded.dispose();
  });

  test("compiles nothing for sizes that are new", async () => {
    const loaded = method(branching, [2]);
    await run(loaded, matrix(4), true);
    const compiled = gpu.pipelines.size;
    for (const rows of [5, 6, 7]) {
      const expected = Float32Array.from({ length: 4 * rows }, (_, i) => -i);
      expect((await run(loaded, matrix(rows), true)).data).toEqual(expected);
    }
    expect(gpu.pipelines.size).toBe(compiled);
    await loaded.dispose();
  });

  test("refuses other sizes", async () => {
    const loaded = method(branching, [2]);
    for (const dims of [[9, 4], [0, 4], [3, 5], [12]]) {
      const count = dims.reduce((product, size) => product * size, 1);
      const input: TypedTensor = { type: "f32", dims, data: new Float32Array(count) };
      await expect(run(loaded, input, true)).rejects.toThrow(RequestError);
    }
    const short: TypedTensor = { type: "f32", dims: [3, 4], data: new Float32Array(11) };
    await expect(run(loaded, short, true)).rejects.toThrow(/11 elements for \[3, 4\]/);
    await loaded.dispose();
  });

  test("copies without changing the source", async () => {
    const copying: readonly Instruction[] = [
      { kind: "delegate", delegate: 0, args: [0, 2] },
      { kind: "kernel", operator: 0, args: [0, 2, 4, 3] },
      { kind: "delegate", delegate: 1, args: [0, 2] },
    ];
    const loaded = method(copying, [3, 2]);
    const [copied, negated] = await loaded.run([matrix(2), false], {});
    const expected = Float32Array.from({ length: 8 }, (_, i) => i);
    expect(copied).toMatchObject({ data: expected });
    expect(negated).toMatchObject({ data: expected.map((x) => -x) });
    await loaded.dispose();
  });

  test("a tensor that was kept stays as it is when the method runs again", async () => {
    const loaded = method(branching, [2]);
    const [kept] = await loaded.run([matrix(2), false], { keep: [0] });
    if (!(kept instanceof GpuTensor)) throw new Error("kept");
    await run(loaded, matrix(8), true);
    expect((await kept.read()).data).toEqual(Float32Array.from({ length: 8 }, (_, i) => i));
    // And serves as an input.
    const expected = Float32Array.from({ length: 8 }, (_, i) => -i);
    expect((await run(loaded, kept, true)).data).toEqual(expected);
    kept.dispose();
    await expect(run(loaded, kept, true)).rejects.toThrow(/disposed/);
    await loaded.dispose();
  });

  test("values that are missing, and programs without end, are refused", async () => {
    const early = method([{ kind: "move", from: 3, to: 2 }], [2]);
    await expect(run(early, matrix(1), true)).rejects.toThrow(/value 3 is used before/);
    const endless = method([{ kind: "jumpFalse", condition: 1, destination: 0 }], [2]);
    await expect(run(endless, matrix(1), false)).rejects.toThrow(FormatError);
    expect(() => method([{ kind: "delegate", delegate: 0, args: [0] }], [2])).toThrow(
      /1 arguments/,
    );
    await early.dispose();
    await endless.dispose();
  });
});
