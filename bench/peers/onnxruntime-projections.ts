import { join } from "node:path";
import type { InferenceSession, Tensor } from "onnxruntime-node";
import type { Q4Matrix } from "../../src/checkpoint.ts";
import { f32ToF16 } from "../../src/quant/f16.ts";
import type { EngineOptions } from "./engine.ts";
import { OnnxGraph } from "./onnx/graph.ts";
import { addMatMulNBits, storeMatrix } from "./onnx/q4-weights.ts";
import { createSession, GpuBuffers } from "./onnx/session.ts";
import { WeightsFile } from "./onnx/weights-file.ts";
import { SAMPLED_OUTPUTS } from "./projections.ts";
import type { Projection, ProjectionEngine, ProjectionGraph } from "./projections.ts";
import peers from "./package.json" with { type: "json" };

/** Products of one x that stays on the GPU; the results all go to one buffer there. */
class OnnxProjections implements ProjectionGraph {
  readonly #session: InferenceSession;
  readonly #buffers: readonly GpuBuffers[];
  readonly #x: Tensor;
  readonly #fetches: Readonly<Record<string, Tensor | null>>;

  private constructor(
    session: InferenceSession,
    buffers: readonly GpuBuffers[],
    x: Tensor,
    fetches: Readonly<Record<string, Tensor | null>>,
  ) {
    this.#session = session;
    this.#buffers = buffers;
    this.#x = x;
    this.#fetches = fetches;
  }

  static async create(
    { folder, onnxAccuracyLevel }: EngineOptions,
    { M, K, N }: Projection,
    matrices: readonly Q4Matrix[],
    values: Float32Array,
  ): Promise<OnnxProjections> {
    const graph = new OnnxGraph("projections");
    const model = join(folder, `projections-${matrices.length}.onnx`);
    const weights = await WeightsFile.create(`${model}.data`);
    const x = graph.input("x", "f16", [M, K]);
    const names: string[] = [];
    for (const [i, matrix] of matrices.entries()) {
      const stored = await storeMatrix(weights, "f16", [{ matrix }]);
      names.push(addMatMulNBits(graph, `y${i}`, x, stored, "f16", onnxAccuracyLevel));
      graph.output(`y${i}`, "f16", [M, N]);
    }
    await weights.close();
    const corner = (name: string, row: number, column: number) =>
      graph.constant(name, "i64", [2], BigInt64Array.of(BigInt(row), BigInt(column)));
    const operands = [corner("from", 0, 0), corner("to", 1, SAMPLED_OUTPUTS)];
    const sampled = graph.node("Slice", "sampled", [names.at(-1) ?? "", ...operands]);
    graph.node("Cast", "sample", [sampled], { to: 1 });
    graph.output("sample", "f32", [1, SAMPLED_OUTPUTS]);
    await graph.write(model);
    const inputs = await GpuBuffers.create(folder, [M, K]);
    const outputs = await GpuBuffers.create(folder, [M, N]);
    const y = await outputs.next();
    return new OnnxProjections(
      await createSession(model),
      [inputs, outputs],
      await inputs.next(f32ToF16(values.map((value) => value / 2))),
      { ...Object.fromEntries(names.map((name) => [name, y])), sample: null },
    );
  }

  async run(): Promise<Float32Array> {
    const { sample } = await this.#session.run({ x: this.#x }, this.#fetches);
    if (!(sample?.data instanceof Float32Array)) throw new Error("onnxruntime: no sample of f32");
    return sample.data;
  }

  async dispose(): Promise<void> {
    await this.#session.release();
    for (const buffers of this.#buffers) await buffers.close();
  }
}

/** MatMulNBits on onnxruntime-node's WebGPU provider; building rejects where that has no adapter. */
export function onnxRuntimeProjections(options: EngineOptions): Promise<ProjectionEngine> {
  return Promise.resolve({
    title: `onnxruntime-node ${peers.dependencies["onnxruntime-node"]} (WebGPU)`,
    device: "",
    normalizesRow: false,
    // Activations in int8, results in f16.
    tolerance: options.onnxAccuracyLevel === 4 ? 3e-2 : 5e-3,
    build: (projection, matrices, x) => OnnxProjections.create(options, projection, matrices, x),
    close: () => Promise.resolve(),
  });
}
