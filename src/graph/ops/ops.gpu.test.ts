import { beforeAll, describe, expect, test } from "vitest";
import { requestTestDevice } from "../../../tests/support/gpu.ts";
import type { GpuDevice } from "../../gpu/device.ts";
import { compare } from "../../kernels/testing/compare.ts";
import { GraphBuilder } from "../builder.ts";
import type { Dtype } from "../ir.ts";
import { symIntRoot } from "../symint.ts";
import { GraphRunner } from "../testing/graph-runner.ts";
import type { Elements } from "../testing/graph-runner.ts";
import { Array64, randomElements } from "./op-case.test-support.ts";
import type { OpCase } from "./op-case.test-support.ts";
import { COMPUTE_CASES } from "./op-cases-compute.test-support.ts";
import { ELEMENTWISE_CASES } from "./op-cases-elementwise.test-support.ts";
import { SHAPE_CASES } from "./op-cases-shape.test-support.ts";

/** Grows after it has shrunk: what a smaller run leaves behind must not be seen. */
const SIZES = [3, 1, 8, 3];

const OP_CASES = [...ELEMENTWISE_CASES, ...SHAPE_CASES, ...COMPUTE_CASES];

let gpu: GpuDevice;
beforeAll(async () => {
  gpu = await requestTestDevice();
});

function typed(dtype: Dtype, values: ArrayLike<number>): Elements {
  switch (dtype) {
    case "f32":
      return Float32Array.from(values);
    case "i32":
      return Int32Array.from(values);
    case "i8":
      return Int8Array.from(values);
    default:
      return Uint8Array.from(values);
  }
}

function makeInputs({ inputs, values }: OpCase, S: number, seed: number) {
  return inputs.map(([dtype, ...dims], index) => {
    const sizes = dims.map((dim) => (dim === "S" ? S : dim));
    const count = sizes.reduce((product, size) => product * size, 1);
    const data =
      values === undefined
        ? randomElements(dtype, count, seed + index)
        : typed(dtype, values(index, count));
    return { data, array: new Array64(sizes, data) };
  });
}

describe("operators with a live size", () => {
  test.each(
    OP_CASES.map((opCase) => [[opCase.op, opCase.variant ?? ""].join(" "), opCase] as const),
  )("%s", async (_, opCase) => {
    const S = symIntRoot("S", 1, 8);
    const builder = new GraphBuilder("test");
    const inputs = opCase.inputs.map(([dtype, ...dims], index) =>
      builder.input(
        `input${index}`,
        dtype,
        dims.map((dim) => (dim === "S" ? S : dim)),
      ),
    );
    for (const output of opCase.build(builder, inputs, S)) builder.output(output);
    const runner = await GraphRunner.create(gpu, builder.build());
    for (const [round, size] of SIZES.entries()) {
      const made = makeInputs(opCase, size, 100 * round + 1);
      const results = await runner.run(
        made.map(({ data }) => data),
        new Map([[S, size]]),
      );
      const expected = opCase.reference(
        made.map(({ array }) => array),
        size,
      );
      expect(results.length).toBe(expected.length);
      for (const [index, result] of results.entries()) {
        const tolerance = { absolute: opCase.absolute ?? 0, relative: 1e-5 };
        const { failures, report } = compare(result, expected[index]!, tolerance);
        expect(failures, `S = ${size}, output ${index}\n${report}`).toBe(0);
      }
    }
    runner.dispose();
  });
});
