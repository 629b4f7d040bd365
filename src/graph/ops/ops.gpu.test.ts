import { beforeAll, describe, expect, test } from "vitest";
import { requestTestDevice } from "../../../tests/support/gpu.ts";
import type { GpuDevice } from "../../gpu/device.ts";
import { compare } from "../../kernels/testing/compare.ts";
import { f16ToF32 } from "../../quant/f16.ts";
import { GraphBuilder } from "../builder.ts";
import type { Dtype } from "../ir.ts";
import { symIntRoot } from "../symint.ts";
import { GraphRunner } from "../testing/graph-runner.ts";
import type { Elements } from "../testing/graph-runner.ts";
import { Array64, randomElements } from "./op-case.test-support.ts";
import type { OpCase } from "./op-case.test-support.ts";
import { ELEMENTWISE_CASES } from "./op-cases-elementwise.test-support.ts";
import { PRODUCT_CASES } from "./op-cases-product.test-support.ts";
import { QUANTIZED_CASES } from "./op-cases-quantized.test-support.ts";
import { REDUCE_CASES } from "./op-cases-reduce.test-support.ts";
import { ROW_CASES } from "./op-cases-row.test-support.ts";
import { SHAPE_CASES } from "./op-cases-shape.test-support.ts";

/** Grows after it has shrunk: what a smaller run leaves behind must not be seen. */
const SIZES = [3, 1, 8, 3];

const OP_CASES = [
  ...ELEMENTWISE_CASES,
  ...SHAPE_CASES,
  ...REDUCE_CASES,
  ...PRODUCT_CASES,
  ...QUANTIZED_CASES,
  ...ROW_CASES,
];

let gpu: GpuDevice;
/** The same adapter, with everything that a GPU has of what it offers. */
let asGpu: GpuDevice;
beforeAll(async () => {
  gpu = await requestTestDevice();
  asGpu = await requestTestDevice({ restrict: { software: false } });
});

/** What the elements of a tensor stand for. */
function numbers(dtype: Dtype, elements: Elements): ArrayLike<number> {
  return dtype === "f16" ? f16ToF32(elements as Uint16Array) : elements;
}

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
    return { data, array: new Array64(sizes, numbers(dtype, data)) };
  });
}

describe("operators with a live size", () => {
  test.for(
    OP_CASES.map((opCase) => [[opCase.op, opCase.variant ?? ""].join(" "), opCase] as const),
  )("%s", async ([, opCase], { skip }) => {
    const { runsOn } = opCase;
    skip(runsOn?.(asGpu.capabilities) === false, "the device lacks what the operator needs");
    const device = runsOn === undefined ? gpu : asGpu;
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
    const graph = builder.build();
    const runner = await GraphRunner.create(device, graph);
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
        const { dtype } = graph.outputs[index]!;
        // f16 has 11 bits.
        const relative = dtype === "f16" ? 6e-4 : 1e-5;
        const { failures, report } = compare(numbers(dtype, result), expected[index]!, {
          absolute: opCase.absolute ?? 0,
          relative,
        });
        expect(failures, `S = ${size}, output ${index}\n${report}`).toBe(0);
      }
    }
    runner.dispose();
  });
});
