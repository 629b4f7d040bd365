import { describe, expect, test } from "vitest";
import { GPU } from "../../tests/support/gpu-record.ts";
import { randomQ4Matrix } from "../bench/random-checkpoint.ts";
import { restrictCapabilities } from "../gpu/capabilities.ts";
import type { Capabilities } from "../gpu/capabilities.ts";
import { GraphBuilder } from "./builder.ts";
import type { Tensor } from "./ir.ts";
import { planGraph } from "./plan.ts";
import { symIntRoot, SymIntValues } from "./symint.ts";
import type { IntLike } from "./symint.ts";

const S = symIntRoot("S", 1, 128);
const position = symIntRoot("position", 0, 4096);

/** Work of every dispatch with workgroups of what `build` makes, by kernel. */
function workOf(
  build: (graph: GraphBuilder) => Tensor,
  live: { readonly S: number; readonly position?: number },
  capabilities: Capabilities = GPU,
) {
  const graph = new GraphBuilder("test");
  graph.output(build(graph));
  const values = new SymIntValues();
  values.set(S, live.S);
  values.set(position, live.position ?? 0);
  return planGraph(graph.build(), capabilities)
    .dispatches.filter(({ grid, live }) => !grid(live(values)).includes(0))
    .map(({ label, work }) => ({ label, ...work(values) }));
}

function linear(
  graph: GraphBuilder,
  rows: number,
  columns: number,
  bias: boolean,
  M: IntLike = S,
): Tensor {
  const { data } = randomQ4Matrix("w", rows, columns);
  const x = graph.input("x", "f32", [M, columns]);
  const weight = graph.constant("w", "u8", [rows, columns / 2], data, 0);
  const scales = graph.constant("w.scales", "f16", [rows, columns / 32], data, 1);
  const floats = { rows, storedRowBytes: 4, planeRowBytes: [4], read: () => Promise.resolve([]) };
  const addend = bias ? graph.constant("bias", "f32", [rows], floats) : null;
  return graph.node("et_vk.linear_q4gsw.default", "out", x, weight, scales, 32, addend);
}

describe("the work of a dispatch", () => {
  test("linear_q4gsw: weights, scales, x and out once; two operations a weight and row", () => {
    const [N, K] = [512, 256];
    const weights = (N * K) / 2 + (N * K) / 16;
    expect(workOf((graph) => linear(graph, N, K, false), { S: 70 })).toEqual([
      {
        label: "linear_q4gsw_gemm_tiled_32",
        bytes: weights + 4 * 70 * (N + K),
        operations: 2 * 70 * N * K,
        unit: "f32",
        shape: "256 → 512",
      },
    ]);
    // Live sizes, not the largest; the bias only where there is one.
    const [one] = workOf((graph) => linear(graph, N, K, true), { S: 1 });
    expect(one).toMatchObject({ bytes: weights + 4 * (2 * N + K), operations: 2 * N * K });
  });

  test("a matrix split over bindings is read once in all", () => {
    const [N, K] = [512, 256];
    const limits = { maxStorageBufferBindingSize: (N * K) / 4 };
    const split = workOf(
      (graph) => linear(graph, N, K, false, 8),
      { S: 8 },
      restrictCapabilities(GPU, { limits }),
    );
    expect(split.length).toBe(2);
    const sum = (of: (work: (typeof split)[number]) => number) =>
      split.reduce((total, work) => total + of(work), 0);
    expect(sum(({ operations }) => operations)).toBe(2 * 8 * N * K);
    // Each half reads x.
    expect(sum(({ bytes }) => bytes)).toBe((9 * N * K) / 16 + 4 * 8 * (N + 2 * K));
  });

  test("the unit is the one that the kernel's source names", () => {
    const matrix = { componentType: "f16", resultComponentType: "f32", M: 16, N: 16, K: 16 };
    const works = workOf(
      (graph) => linear(graph, 512, 256, false),
      { S: 128 },
      { ...GPU, subgroupMatrices: [matrix] },
    );
    expect(works.filter(({ operations }) => operations > 0)).toMatchObject([
      { unit: "subgroup-matrix", operations: 2 * 128 * 512 * 256 },
    ]);
  });

  test("a fused projection that runs as separate operators has their work", () => {
    const [N, K] = [512, 256];
    const swiglu = (graph: GraphBuilder) => {
      const planes = ["gate", "up"].flatMap((name) => {
        const { data } = randomQ4Matrix(name, N, K);
        return [
          graph.constant(name, "u8", [N, K / 2], data, 0),
          graph.constant(`${name}.scales`, "f16", [N, K / 32], data, 1),
        ];
      });
      const x = graph.input("x", "f32", [1, K]);
      return graph.node("tetrad.swiglu_q4gsw", "out", x, null, null, null, 32, ...planes);
    };
    const weights = 2 * ((N * K) / 2 + (N * K) / 16);
    const [limbs, fused] = workOf(swiglu, { S: 1 });
    expect(limbs).toMatchObject({ operations: 0, bytes: 4 * K + 80 * (K / 32) });
    expect(fused).toMatchObject({ unit: "integer-dot", operations: 4 * N * K });
    expect(fused?.bytes).toBe(weights + 80 * (K / 32) + 4 * N);
    const separate = workOf(swiglu, { S: 1 }, restrictCapabilities(GPU, { subgroups: false }));
    expect(separate.map(({ operations }) => operations)).toEqual([2 * N * K, 2 * N * K, 0]);
    expect(separate.map(({ bytes }) => bytes)).toEqual([
      weights / 2 + 4 * (N + K),
      weights / 2 + 4 * (N + K),
      3 * 4 * N,
    ]);
  });

  test("attention: the caches up to the context, a pair of operations an element of each", () => {
    const [heads, kvHeads, headSize, cacheLength] = [8, 2, 64, 4096];
    const build = (graph: GraphBuilder) => {
      const input = (name: string, count: number) =>
        graph.input(name, "f32", [1, S, count, headSize]);
      const cache = (name: string) => graph.state(name, "f16", [1, cacheLength, kvHeads, headSize]);
      const [q, k, v] = [input("q", heads), input("k", kvHeads), input("v", kvHeads)];
      const caches = [cache("k_cache"), cache("v_cache")];
      const rest = [position, S, null, 0, true, null];
      return graph.node("sdpa_with_kv_cache.default", "out", q, k, v, ...caches, ...rest);
    };
    const [append, stream] = workOf(build, { S: 10, position: 1000 });
    const row = kvHeads * headSize;
    // k and v in f32 to the caches in f16, and the position.
    expect(append?.bytes).toBe(2 * (4 + 2) * 10 * row + 4);
    expect(stream?.bytes).toBe(2 * 2 * 1010 * row + 2 * 4 * 10 * heads * headSize + 4);
    const pairs = 10 * 1000 + (10 * 11) / 2;
    expect(stream?.operations).toBe(4 * heads * headSize * pairs);
  });

  test("an embedding touches the rows of its tokens", () => {
    const { data } = randomQ4Matrix("table", 50_000, 64);
    const [work] = workOf(
      (graph) =>
        graph.node(
          "et_vk.embedding_q4gsw.default",
          "rows",
          graph.constant("table", "u8", [50_000, 32], data, 0),
          graph.constant("table.scales", "f16", [50_000, 2], data, 1),
          32,
          graph.input("tokens", "i32", [1, S]),
          true,
        ),
      { S: 3 },
    );
    expect(work).toMatchObject({ bytes: 3 * (32 + 4 + 4 + 4 * 64), operations: 0 });
  });
});
