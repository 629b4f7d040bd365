import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { requestTestDevice } from "../../../tests/support/gpu.ts";
import type { RowSource } from "../../checkpoint.ts";
import { openProgramDecoder } from "../../formats/pte/decoder.ts";
import { readProgram } from "../../formats/pte/read-program.ts";
import type { GpuDevice } from "../../gpu/device.ts";
import { randomValues } from "../../kernels/testing/data.ts";
import { memorySource } from "../../memory-source.ts";
import { GraphBuilder } from "../builder.ts";
import { specializeGraph } from "../ir.ts";
import type { Graph } from "../ir.ts";
import { planGraph } from "../plan.ts";
import { symIntExpression, symIntRoot } from "../symint.ts";
import type { SymIntRoot } from "../symint.ts";
import { fuseRotarySlice } from "./fuse-rotary-slice.ts";
import { fuseSiluMul } from "./fuse-silu-mul.ts";
import { optimizeGraph } from "./index.ts";
import { expectSameOutputs } from "./same-outputs.test-support.ts";

let gpu: GpuDevice;
beforeAll(async () => {
  gpu = await requestTestDevice();
});

const EXACT = { absolute: 1e-6, relative: 1e-6 };

function table(rows: number, width: number, seed: number): RowSource {
  const values = randomValues(rows * width, seed);
  return {
    rows,
    storedRowBytes: 4 * width,
    planeRowBytes: [4 * width],
    read: (start, count) =>
      Promise.resolve([
        new Uint8Array(values.buffer).slice(4 * width * start, 4 * width * (start + count)),
      ]),
  };
}

/** Gate and up in either order, views in between or not. */
function swiGlu(
  order: "gate first" | "sigmoid first",
  useProductTwice = false,
): [Graph, SymIntRoot] {
  const S = symIntRoot("S", 1, 8);
  const g = new GraphBuilder("swiglu");
  const flat = g.input("gate", "f32", [S, 6]);
  const up = g.input("up", "f32", [1, S, 6]);
  const gate = g.node("aten.view_copy.default", "view", flat, [1, S, 6]);
  const sigmoid = g.node("aten.sigmoid.default", "sigmoid", gate);
  const product =
    order === "gate first"
      ? g.node("aten.mul.Tensor", "silu", gate, sigmoid)
      : g.node("aten.mul.Tensor", "silu", sigmoid, gate);
  const view = g.node("aten.view_copy.default", "again", product, [1, S, 6]);
  g.output(
    order === "gate first"
      ? g.node("aten.mul.Tensor", "out", view, up)
      : g.node("aten.mul.Tensor", "out", up, view),
  );
  if (useProductTwice) g.output(g.node("aten.neg.default", "silu too", product));
  return [g.build(), S];
}

describe("fuseSiluMul", () => {
  test.each(["gate first", "sigmoid first"] as const)("%s", async (order) => {
    const [graph, S] = swiGlu(order);
    const inputs = [randomValues(18, 1), randomValues(18, 2)];
    const sizes = new Map([[S, 3]]);
    const run = { inputs, sizes, tolerance: EXACT };
    const counts = await expectSameOutputs(gpu, graph, fuseSiluMul, run);
    expect(counts).toEqual([3, 1]);
  });

  test("leaves a product alone that something else reads", async () => {
    const [graph, S] = swiGlu("gate first", true);
    const inputs = [randomValues(18, 1), randomValues(18, 2)];
    const sizes = new Map([[S, 3]]);
    const run = { inputs, sizes, tolerance: EXACT };
    const counts = await expectSameOutputs(gpu, graph, fuseSiluMul, run);
    expect(counts).toEqual([4, 4]);
    // Fused, it would be computed twice.
    expect(fuseSiluMul(graph).nodes.some(({ op }) => op === "tetrad.silu_mul")).toBe(false);
  });
});

function rotary(): [Graph, SymIntRoot, SymIntRoot] {
  const S = symIntRoot("S", 1, 4);
  const g = new GraphBuilder("rotary");
  const q = g.input("q", "f32", [1, S, 2, 8]);
  const k = g.input("k", "f32", [1, S, 1, 8]);
  const inputPos = g.input("input_pos", "i32", [1]);
  const p = symIntRoot("p", 0, 9, { tensor: inputPos, index: 0 });
  const end = symIntExpression("add", p, S);
  const rows = (name: string, seed: number) =>
    g.node(
      "aten.slice_copy.Tensor",
      name,
      g.constant(`${name} table`, "f32", [10, 4], table(10, 4, seed)),
      0,
      p,
      end,
      1,
    );
  const [cos, sin] = [rows("cos", 5), rows("sin", 6)];
  const results = g.nodes("et_vk.apply_rotary_emb.default", "rotated", [q, k, cos, sin]);
  for (const result of results) g.output(result);
  return [g.build(), S, p];
}

test("fuseRotarySlice", async () => {
  const [graph, S, p] = rotary();
  const inputs = [randomValues(48, 1), randomValues(24, 2), Int32Array.of(6)];
  const sizes = new Map([
    [S, 3],
    [p, 6],
  ]);
  const run = { inputs, sizes, tolerance: EXACT };
  const counts = await expectSameOutputs(gpu, graph, fuseRotarySlice, run);
  expect(counts).toEqual([3, 1]);
});

test("a decoded token of the stories program takes fewer dispatches", async () => {
  const file = new URL("../../../models/stories-14m/pte/stories-14m-4w.pte", import.meta.url);
  const program = await readProgram(memorySource(new Uint8Array(readFileSync(file)), "stories"));
  const decoder = (await openProgramDecoder(program)).build({
    contextLength: 512,
    maxSequenceLength: 64,
    cacheType: "f32",
  });
  const graph = specializeGraph(decoder.graph, new Map([[decoder.sequenceLength, 1]]));
  const before = planGraph(graph, gpu.capabilities).dispatches.length;
  const after = planGraph(optimizeGraph(graph, gpu.capabilities), gpu.capabilities).dispatches
    .length;
  if (process.env["TETRAD_REPORT"])
    console.log("operators", graph.nodes.length, "dispatches", before, after);
  // Each of 8 layers loses sigmoid, a product and two additions; two slices go once.
  expect(before - after).toBe(4 * 8 + 2);
});
