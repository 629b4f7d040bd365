import { describe, expect, test } from "vitest";
import { GPU } from "../../../tests/support/gpu-record.ts";
import { tinyCheckpoint } from "../../../tests/support/tiny-checkpoint.ts";
import type { RowSource } from "../../checkpoint.ts";
import { restrictCapabilities } from "../../gpu/capabilities.ts";
import { allPlans, planDecoder } from "../../generate/decoder-plans.ts";
import { buildModel } from "../../models/index.ts";
import type { Graph, Tensor, TensorStorage } from "../ir.ts";
import { readArguments } from "../ops/op.ts";
import { decoderLayers, Parts } from "./decoder-layer.test-support.ts";
import { joinProjections } from "./join-projections.ts";

type Constant = Extract<TensorStorage, { kind: "constant" }>;

const constantOf = (tensor: Tensor): Constant => {
  if (tensor.storage.kind !== "constant") throw new Error(`"${tensor.name}" is no constant`);
  return tensor.storage;
};

/** Weight and scales of every projection, by its name. */
function matrices(graph: Graph): Record<string, readonly [weight: Constant, scales: Constant]> {
  const linears = graph.nodes.filter(({ op }) => op === "et_vk.linear_q4gsw.default");
  return Object.fromEntries(
    linears.map((node) => {
      const args = readArguments(node);
      return [
        node.results[0]?.name ?? "",
        [constantOf(args.tensor(1)), constantOf(args.tensor(2))],
      ];
    }),
  );
}

const isJoined = (graph: Graph, name: string) => matrices(graph)[name]?.[0].firstRow !== undefined;

test("q, k and v become parts of one source, in rows as they come", () => {
  const { graph } = decoderLayers();
  const joined = matrices(joinProjections(graph, GPU));
  const [q, k, v] = [joined["0.q"]!, joined["0.k"]!, joined["0.v"]!];
  expect([q, k, v].map((planes) => planes.map(({ firstRow }) => firstRow))).toEqual([
    [0, 0],
    [128, 128],
    [192, 192],
  ]);
  expect(new Set([q, k, v].flat().map(({ data }) => data)).size).toBe(1);
  expect(q.map(({ plane }) => plane)).toEqual([0, 1]);
  expect(q[0].data.rows).toBe(256);
  for (const name of ["0.output", "0.gate", "0.up", "0.down", "head"]) {
    expect(joined[name], name).toEqual(matrices(graph)[name]);
  }
});

test("every part's rows are those that it had", async () => {
  const { graph } = decoderLayers();
  const [before, after] = [matrices(graph), matrices(joinProjections(graph, GPU))];
  for (const [name, rows] of [
    ["0.q", 128],
    ["0.k", 64],
    ["0.v", 64],
  ] as const) {
    const own = before[name]![0].data;
    const { data, firstRow } = after[name]![0];
    expect(await data.read(firstRow!, rows)).toEqual(await own.read(0, rows));
  }
});

describe("what is not joined", () => {
  test("a matrix that two projections share", () => {
    const parts = new Parts();
    const x = parts.g.input("x", "f32", [1, 1, 64]);
    const project = (name: string, row: Tensor, rows = 64) => parts.linear(name, row, rows, 64);
    for (const name of ["q", "k", "v"]) parts.g.output(project(name, x));
    const graph = parts.g.build();
    expect(isJoined(joinProjections(graph, GPU), "q")).toBe(true);
    // The same constants once more, for another row.
    const other: Tensor = { ...x, name: "other" };
    const again = graph.nodes[1]!;
    const shared: Graph = {
      ...graph,
      inputs: [...graph.inputs, other],
      nodes: [
        ...graph.nodes,
        {
          ...again,
          args: [other, ...again.args.slice(1)],
          results: [{ ...again.results[0]!, name: "again" }],
        },
      ],
    };
    expect(isJoined(joinProjections(shared, GPU), "q")).toBe(false);
  });

  test("two or four projections of one row", () => {
    const joins = (count: number) => {
      const parts = new Parts();
      const x = parts.g.input("x", "f32", [1, 1, 64]);
      for (let i = 0; i < count; i++) parts.g.output(parts.linear(`row ${i}`, x, 64, 64));
      return isJoined(joinProjections(parts.g.build(), GPU), "row 0");
    };
    expect([2, 3, 4].map(joins)).toEqual([false, true, false]);
  });

  test("rows that would not begin where a buffer can be bound", () => {
    expect(isJoined(joinProjections(decoderLayers({ kvHeads: 1 }).graph, GPU), "0.q")).toBe(false);
  });

  test("more than the device binds at once", () => {
    const { graph } = decoderLayers();
    const joins = (maxStorageBufferBindingSize: number) => {
      const limits = { maxStorageBufferBindingSize };
      return isJoined(joinProjections(graph, restrictCapabilities(GPU, { limits })), "0.q");
    };
    // 256 rows of 32 bytes.
    expect([joins(8192), joins(8191)]).toEqual([true, false]);
  });
});

test("all plans of a decoder read what is joined from one source, and nothing twice", async () => {
  const hyperparameters = { headSize: 32, ropeSize: 32 };
  const checkpoint = tinyCheckpoint({ architecture: "llama", hyperparameters });
  const decoder = await buildModel(checkpoint, {
    contextLength: 64,
    maxSequenceLength: 16,
    cacheType: "f16",
  });
  const plans = planDecoder(decoder, GPU);
  const sourcesOf = (constants: readonly Tensor[]) =>
    new Set<RowSource>(constants.map((tensor) => constantOf(tensor).data));
  const bytesOf = (sources: ReadonlySet<RowSource>) =>
    [...sources].reduce((sum, { rows, storedRowBytes }) => sum + rows * storedRowBytes, 0);
  const joined = sourcesOf(allPlans(plans).flatMap(({ constants }) => constants));
  const apart = sourcesOf(
    decoder.graph.nodes
      .flatMap(({ args }) =>
        args.filter((arg): arg is Tensor => (arg as Tensor | null)?.kind === "tensor"),
      )
      .filter(({ storage }) => storage.kind === "constant"),
  );
  // Three sources of each of two layers are one.
  expect(joined.size).toBe(apart.size - 2 * 2);
  expect(bytesOf(joined)).toBe(bytesOf(apart));
});
