import { beforeAll, describe, expect, test } from "vitest";
import { requestTestDevice } from "../../../tests/support/gpu.ts";
import { rowsInMemory } from "../../../tests/support/tiny-checkpoint.ts";
import type { GpuDevice } from "../../gpu/device.ts";
import { randomValues } from "../../kernels/testing/data.ts";
import { quantizeQ4 } from "../../quant/q4gsw.ts";
import { GraphBuilder } from "../builder.ts";
import type { Graph, Tensor } from "../ir.ts";
import { symIntRoot } from "../symint.ts";
import type { IntLike } from "../symint.ts";
import { fuseResidualAdd } from "./fuse-residual-add.ts";
import { expectSameOutputs } from "./same-outputs.test-support.ts";

const [N, K] = [24, 64];
const S = symIntRoot("S", 1, 8);

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView) =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** A graph around a projection of x [rows, K] to [rows, N]. */
class Projected {
  readonly g = new GraphBuilder("projected");
  readonly residual: Tensor;
  readonly bias: Tensor;
  readonly projection: Tensor;

  constructor({ rows = S, useBias = false }: { rows?: IntLike; useBias?: boolean } = {}) {
    const x = this.g.input("x", "f32", [rows, K]);
    this.residual = this.g.input("residual", "f32", [rows, N]);
    this.bias = this.g.input("bias", "f32", [N]);
    const shape = { rows: N, columns: K, groupSize: 32 };
    const { weight, scales } = quantizeQ4(randomValues(N * K, 3), shape, "f16");
    const data = rowsInMemory([bytesOf(weight), bytesOf(scales)], N);
    this.projection = this.g.node(
      "et_vk.linear_q4gsw.default",
      "projection",
      x,
      this.g.constant("weight", "u8", [N, K / 2], data, 0),
      this.g.constant("scales", "f16", [N, K / 32], data, 1),
      32,
      useBias ? this.bias : null,
    );
  }

  view(tensor: Tensor, ...dims: Tensor["dims"]): Tensor {
    return this.g.node("aten.view_copy.default", `${tensor.name} view`, tensor, dims);
  }

  add(a: Tensor, b: Tensor, alpha = 1): this {
    this.g.output(this.g.node("aten.add.Tensor", "sum", a, b, alpha));
    return this;
  }

  build(): Graph {
    return this.g.build();
  }
}

const inputs = (rows: number) => [
  randomValues(rows * K, 1),
  randomValues(rows * N, 2),
  randomValues(N, 4),
];

const projectionsOf = (graph: Graph) =>
  fuseResidualAdd(graph)
    .nodes.map(({ op }) => op)
    .filter((op) => op.includes("linear"));

describe("fuseResidualAdd", () => {
  let gpu: GpuDevice;
  beforeAll(async () => {
    gpu = await requestTestDevice();
  });

  const fused: Readonly<Record<string, () => Projected>> = {
    "residual + projection": () => {
      const p = new Projected();
      return p.add(p.residual, p.projection);
    },
    "projection + residual": () => {
      const p = new Projected();
      return p.add(p.projection, p.residual);
    },
    "a projection with a bias": () => {
      const p = new Projected({ useBias: true });
      return p.add(p.residual, p.projection);
    },
    "a view of the projection": () => {
      const p = new Projected();
      return p.add(p.view(p.residual, 1, S, N), p.view(p.projection, 1, S, N));
    },
    "a residual that others read": () => {
      const p = new Projected();
      p.g.output(p.g.node("aten.neg.default", "negated", p.residual));
      return p.add(p.residual, p.projection);
    },
  };

  test.each(Object.entries(fused))("fuses %s: the same numbers", async (_, make) => {
    const graph = make().build();
    expect(projectionsOf(graph)).toContain("tetrad.linear_q4gsw_add");
    for (const rows of [1, 5]) {
      const [before, after] = await expectSameOutputs(gpu, graph, fuseResidualAdd, {
        inputs: inputs(rows),
        sizes: new Map([[S, rows]]),
        tolerance: { absolute: 1e-6, relative: 1e-6 },
      });
      expect(after).toBe(before - 1);
    }
  });

  const kept: Readonly<Record<string, () => Projected>> = {
    "an addition that is scaled": () => {
      const p = new Projected();
      return p.add(p.residual, p.projection, 2);
    },
    "a difference": () => {
      const p = new Projected();
      return p.add(p.projection, p.residual, -1);
    },
    "a row that is added to all": () => {
      const p = new Projected();
      return p.add(p.projection, p.bias);
    },
    "a matrix that one row is added to": () => {
      const p = new Projected();
      return p.add(p.view(p.projection, S, N), p.g.input("wide", "f32", [2, S, N]));
    },
    "rows and columns that are each other's broadcast": () => {
      const p = new Projected({ rows: 2 });
      return p.add(p.view(p.projection, 1, 2, N), p.view(p.residual, 2, 1, N));
    },
    "rows that a view makes others": () => {
      const p = new Projected({ rows: 2 });
      return p.add(p.view(p.projection, 4, N / 2), p.view(p.residual, 4, N / 2));
    },
    "the projection added to itself": () => {
      const p = new Projected();
      return p.add(p.projection, p.view(p.projection, S, N));
    },
    "a projection that is an output": () => {
      const p = new Projected();
      p.g.output(p.projection);
      return p.add(p.residual, p.projection);
    },
    "a projection that something else reads": () => {
      const p = new Projected();
      p.g.output(p.g.node("aten.neg.default", "negated", p.projection));
      return p.add(p.residual, p.projection);
    },
    "a projection whose view something else reads": () => {
      const p = new Projected();
      p.g.output(p.g.node("aten.neg.default", "negated", p.view(p.projection, 1, S, N)));
      return p.add(p.residual, p.projection);
    },
  };

  test.each(Object.entries(kept))("leaves alone %s", (_, make) => {
    const graph = make().build();
    expect(projectionsOf(graph)).toEqual(["et_vk.linear_q4gsw.default"]);
    expect(fuseResidualAdd(graph).nodes).toEqual(graph.nodes);
  });
});
