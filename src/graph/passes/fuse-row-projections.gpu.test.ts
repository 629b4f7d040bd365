import { beforeAll, describe, expect, test } from "vitest";
import { requestTestDevice } from "../../../tests/support/gpu.ts";
import { rowsInMemory } from "../../../tests/support/tiny-checkpoint.ts";
import type { CapabilityOverrides } from "../../gpu/capabilities.ts";
import type { GpuDevice } from "../../gpu/device.ts";
import { randomValues } from "../../kernels/testing/data.ts";
import { quantizeQ4 } from "../../quant/q4gsw.ts";
import { GraphBuilder } from "../builder.ts";
import type { Graph, Tensor } from "../ir.ts";
import { optimizeGraph } from "./index.ts";
import { joinProjections } from "./join-projections.ts";
import { GPU } from "../../../tests/support/gpu-record.ts";
import { expectSameOutputs } from "./same-outputs.test-support.ts";

const DEVICES: Readonly<Record<string, CapabilityOverrides>> = {
  "as it is": {},
  "as a GPU": { software: false },
  "as a GPU without integer dot": { software: false, integerDot: false },
  "as a GPU without subgroups": { software: false, subgroups: false },
};

const WIDTH = 64;
const HIDDEN = 96;

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView) =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** Makes the parts of a layer, with random weights that are the same for the same names. */
class Layer {
  readonly g = new GraphBuilder("layer");

  linear(name: string, x: Tensor, rows: number, columns: number, bias: Tensor | null = null) {
    const shape = { rows, columns, groupSize: 32 };
    const { weight, scales } = quantizeQ4(
      randomValues(rows * columns, name.length + name.charCodeAt(0)),
      shape,
      "f16",
    );
    const data = rowsInMemory([bytesOf(weight), bytesOf(scales)], rows);
    const planes = [
      this.g.constant(name, "u8", [rows, columns / 2], data, 0),
      this.g.constant(`${name}.scales`, "f16", [rows, columns / 32], data, 1),
    ] as const;
    return this.g.node("et_vk.linear_q4gsw.default", name, x, ...planes, 32, bias);
  }

  norm(x: Tensor) {
    const data = rowsInMemory([bytesOf(randomValues(WIDTH, 9))], 1);
    const weight = this.g.constant("norm", "f32", [WIDTH], data);
    return this.g.node("et_vk.rms_norm.default", "normed", x, weight, 1e-5);
  }

  silu(gate: Tensor, up: Tensor) {
    const sigmoid = this.g.node("aten.sigmoid.default", "sigmoid", gate);
    const silu = this.g.node("aten.mul.Tensor", "silu", gate, sigmoid);
    return this.g.node("aten.mul.Tensor", "hidden", silu, up);
  }

  view(x: Tensor, ...dims: readonly number[]) {
    return this.g.node("aten.view_copy.default", `${x.name} view`, x, [...dims]);
  }
}

/** A norm, gate and up, down and what is added to it. */
function feedForward(rows: number, readNormedToo = false): Graph {
  const layer = new Layer();
  const x = layer.g.input("x", "f32", [1, rows, WIDTH]);
  const normed = layer.norm(x);
  const view = layer.view(normed, rows, WIDTH);
  const gate = layer.linear("gate", view, HIDDEN, WIDTH);
  const up = layer.linear("upper", view, HIDDEN, WIDTH);
  const down = layer.linear("downmost", layer.silu(gate, up), WIDTH, HIDDEN);
  const whole = layer.view(down, 1, rows, WIDTH);
  layer.g.output(layer.g.node("aten.add.Tensor", "out", whole, x, 1));
  if (readNormedToo) layer.g.output(layer.g.node("aten.neg.default", "negated", normed));
  return layer.g.build();
}

/** A norm and three projections of different sizes, whose rows can be joined. */
function qkv(rows: number, useBias = false): Graph {
  const layer = new Layer();
  const x = layer.g.input("x", "f32", [1, rows, WIDTH]);
  const normed = layer.norm(x);
  const bias = useBias ? layer.g.input("bias", "f32", [64]) : null;
  layer.g.output(layer.view(layer.linear("q", normed, 128, WIDTH), 1, rows, 4, 32));
  layer.g.output(layer.linear("key", normed, 64, WIDTH));
  layer.g.output(layer.linear("value", layer.view(normed, rows, WIDTH), 64, WIDTH, bias));
  return layer.g.build();
}

/** A norm and one projection. */
function head(): Graph {
  const layer = new Layer();
  const x = layer.g.input("x", "f32", [1, 1, WIDTH]);
  layer.g.output(layer.linear("head", layer.norm(x), 130, WIDTH));
  return layer.g.build();
}

/** The operators on a device that takes nothing as limbs. */
const SOFTWARE = { ...GPU, software: true };

const opsOf = (graph: Graph) => optimizeGraph(graph, SOFTWARE).nodes.map(({ op }) => op);

describe.each(Object.entries(DEVICES))("on a device %s", (_, restrict) => {
  let gpu: GpuDevice;
  beforeAll(async () => {
    gpu = await requestTestDevice({ restrict });
  });

  /** Runs a graph before and after all passes: same numbers. */
  function expectSame(graph: Graph): Promise<readonly [before: number, after: number]> {
    const inputs = graph.inputs.map(({ dims }, index) =>
      randomValues(
        dims.reduce<number>((n, dim) => n * (dim as number), 1),
        index + 1,
      ),
    );
    const tolerance = { absolute: 1e-3, relative: 1e-3 };
    return expectSameOutputs(
      gpu,
      graph,
      (before) => optimizeGraph(joinProjections(before, gpu.capabilities), gpu.capabilities),
      { inputs, tolerance },
    );
  }

  const isFused = () => !gpu.capabilities.software && gpu.capabilities.subgroups !== undefined;

  test("a feed-forward layer of one row", async () => {
    // Norm; gate, up and SwiGLU; down and the addition.
    expect(await expectSame(feedForward(1))).toEqual([8, isFused() ? 3 : 5]);
  });

  test("q, k and v of one row", async () => {
    expect(await expectSame(qkv(1))).toEqual([4, isFused() ? 2 : 4]);
  });

  test("a vocabulary's projection", async () => {
    expect(await expectSame(head())).toEqual([2, 2]);
  });

  test("many rows keep their projections, but for the addition", async () => {
    expect(await expectSame(feedForward(3))).toEqual([8, 5]);
    expect(await expectSame(qkv(3))).toEqual([4, 4]);
  });
});

describe("what is matched", () => {
  test("one row becomes fused operators", () => {
    const layer = opsOf(feedForward(1)).filter((op) => op.startsWith("tetrad."));
    expect(layer).toEqual(["tetrad.swiglu_q4gsw", "tetrad.linear_q4gsw_add"]);
    expect(opsOf(qkv(1)).filter((op) => !op.includes("view"))).toEqual(["tetrad.qkv_q4gsw"]);
    expect(opsOf(head())).toEqual(["tetrad.norm_linear_q4gsw"]);
  });

  test("a norm that something else reads stays", () => {
    const ops = opsOf(feedForward(1, true));
    expect(ops).toContain("et_vk.rms_norm.default");
    expect(ops).toContain("tetrad.swiglu_q4gsw");
  });

  test("projections with a bias stay", () => {
    expect(opsOf(qkv(1, true))).not.toContain("tetrad.qkv_q4gsw");
  });
});
