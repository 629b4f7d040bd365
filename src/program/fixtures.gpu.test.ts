import { readFile } from "node:fs/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { requestTestDevice } from "../../tests/support/gpu.ts";
import {
  FIXTURE_NAMES,
  floatTensor,
  hostFloats,
  longs,
  runFixture,
} from "../../tests/support/pte-fixtures.ts";
import type { GpuDevice } from "../gpu/device.ts";
import { memorySource } from "../memory-source.ts";
import { LoadedProgram } from "./loaded-program.ts";
import type { TypedTensor } from "./typed-tensor.ts";

const FIXTURES = new URL("../../tests/fixtures/pte/", import.meta.url);

const read = async (name: string) => new Uint8Array(await readFile(new URL(name, FIXTURES)));

let gpu: GpuDevice;
beforeAll(async () => {
  gpu = await requestTestDevice();
});

async function load(name: string): Promise<LoadedProgram> {
  return LoadedProgram.load(gpu, memorySource(await read(`${name}.pte`), name));
}

describe("programs by the upstream exporter", () => {
  test.each(FIXTURE_NAMES)("%s", async (name) => {
    const { failure } = await runFixture(gpu, read, name);
    expect(failure).toBe("");
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
    expect(hostFloats(after)).toEqual(hostFloats(expected));
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
