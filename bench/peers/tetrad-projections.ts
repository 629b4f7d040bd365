import { BufferSet } from "../../src/graph/buffer-set.ts";
import { GraphBuilder } from "../../src/graph/builder.ts";
import { ConstantStore } from "../../src/graph/constant-store.ts";
import { Executor } from "../../src/graph/executor.ts";
import type { Tensor } from "../../src/graph/ir.ts";
import { optimizeGraph } from "../../src/graph/passes/index.ts";
import { planGraph } from "../../src/graph/plan.ts";
import { SymIntValues } from "../../src/graph/symint.ts";
import { adapterName } from "../../src/gpu/capabilities.ts";
import { GpuDevice } from "../../src/gpu/device.ts";
import { ReadbackRing } from "../../src/gpu/readback-ring.ts";
import type { Q4Matrix } from "../../src/checkpoint.ts";
import { findGpu } from "../../src/platform/node/gpu.ts";
import manifest from "../../package.json" with { type: "json" };
import type { EngineOptions } from "./engine.ts";
import { SAMPLED_OUTPUTS } from "./projections.ts";
import type { Projection, ProjectionEngine, ProjectionGraph } from "./projections.ts";

const NORM_EPSILON = 1e-5;

const SAMPLED_BYTES = 4 * SAMPLED_OUTPUTS;

/**
 * Products as a model's graph has them, through the same passes, plan and executor: those of a single
 * row with the norm before them, which passes take in.
 */
class TetradProjections implements ProjectionGraph {
  readonly #gpu: GpuDevice;
  readonly #last: Tensor;
  readonly #constants: ConstantStore;
  readonly #buffers: BufferSet;
  readonly #executor: Executor;
  readonly #values = new SymIntValues();
  readonly #readback: ReadbackRing;

  private constructor(
    gpu: GpuDevice,
    last: Tensor,
    constants: ConstantStore,
    buffers: BufferSet,
    executor: Executor,
  ) {
    this.#gpu = gpu;
    this.#last = last;
    this.#constants = constants;
    this.#buffers = buffers;
    this.#executor = executor;
    this.#readback = new ReadbackRing(gpu, "projections", SAMPLED_BYTES);
  }

  static async create(
    gpu: GpuDevice,
    { M, K, N }: Projection,
    matrices: readonly Q4Matrix[],
    values: Float32Array,
  ): Promise<TetradProjections> {
    const builder = new GraphBuilder("projections");
    const x = builder.input("x", "f32", [M, K]);
    const ones = new Uint8Array(new Float32Array(K).fill(1).buffer);
    const norm = builder.constant("norm", "f32", [K], {
      rows: 1,
      storedRowBytes: 4 * K,
      planeRowBytes: [4 * K],
      read: () => Promise.resolve([ones]),
    });
    let last = x;
    for (const [i, { data, groupSize }] of matrices.entries()) {
      const input =
        M === 1 ? builder.node("et_vk.rms_norm.default", `norm${i}`, x, norm, NORM_EPSILON) : x;
      const weight = builder.constant(`weight${i}`, "u8", [N, K / 2], data, 0);
      const scales = builder.constant(`scales${i}`, "f16", [N, K / groupSize], data, 1);
      const args = [input, weight, scales, groupSize, null];
      last = builder.node("et_vk.linear_q4gsw.default", `y${i}`, ...args);
      builder.output(last);
    }
    const plan = planGraph(optimizeGraph(builder.build(), gpu.capabilities), gpu.capabilities);
    const constants = new ConstantStore(gpu);
    const buffers = new BufferSet(gpu, "projections", constants);
    await gpu.catchOutOfMemory("allocating products", () =>
      Promise.resolve(buffers.allocate([plan])),
    );
    await constants.load(plan.constants);
    const executor = await Executor.prepare(gpu, plan, buffers);
    gpu.queue.writeBuffer(buffers.tensor(x), 0, Float32Array.from(values));
    return new TetradProjections(gpu, last, constants, buffers, executor);
  }

  async run(): Promise<Float32Array> {
    this.#executor.update(this.#values);
    const encoder = this.#gpu.device.createCommandEncoder({ label: "projections" });
    const pass = encoder.beginComputePass();
    this.#executor.encode(pass);
    pass.end();
    const outputs = this.#buffers.tensor(this.#last);
    const readback = this.#readback.copy(encoder, outputs, 0, SAMPLED_BYTES);
    this.#gpu.queue.submit([encoder.finish()]);
    return new Float32Array(await readback.read());
  }

  dispose(): Promise<void> {
    this.#readback.dispose();
    this.#executor.dispose();
    this.#buffers.dispose();
    this.#constants.dispose();
    return Promise.resolve();
  }
}

/** Tetrad's products; rejects where there is no GPU. */
export async function tetradProjections(options: EngineOptions): Promise<ProjectionEngine> {
  const { allowSoftware, dawnFeatures } = options;
  const { gpu: webgpu, adapter } = await findGpu({ requireGpu: !allowSoftware, dawnFeatures });
  const gpu = await GpuDevice.fromAdapter(adapter, webgpu.wgslLanguageFeatures);
  return {
    title: ["tetrad", manifest.version, ...dawnFeatures].join(" "),
    device: adapterName(gpu.capabilities.adapter),
    normalizesRow: true,
    // A sum on f16 matrices: docs/numerics.md.
    tolerance: 2e-3,
    build: (projection, matrices, x) => TetradProjections.create(gpu, projection, matrices, x),
    close: () => gpu.dispose(),
  };
}
