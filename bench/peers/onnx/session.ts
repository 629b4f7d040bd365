/** ONNX Runtime sessions on the WebGPU provider, and tensors that live there. */
import { join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { OnnxGraph } from "./graph.ts";

const OPTIONS = {
  executionProviders: ["webgpu"],
  logSeverityLevel: 3,
  // A model that would be computed by the CPU in part is refused.
  extra: { "session.disable_cpu_ep_fallback": "1" },
} as const;

/** Where in ONNX Runtime's source an assertion stands, before what it says. */
const ASSERTION = /^\/\S+:\d+ .* was false\. /;

/** A session on the WebGPU provider; results stay where `outputs` says, by default on the CPU. */
export async function createSession(
  model: string,
  outputs: Readonly<Record<string, "gpu-buffer">> = {},
): Promise<InferenceSession> {
  const locations = Object.keys(outputs).length === 0 ? {} : { preferredOutputLocation: outputs };
  try {
    return await InferenceSession.create(model, { ...OPTIONS, ...locations });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(message.trim().replace(ASSERTION, ""), { cause: error });
  }
}

/**
 * Makes f16 tensors of one size on the GPU. Node has no other way to one than a session's result;
 * and where results go to buffers that the caller brings, a session must not be told of locations.
 */
export class GpuBuffers {
  readonly #session: InferenceSession;
  readonly #dims: readonly number[];
  readonly #zeros: Uint16Array;

  private constructor(session: InferenceSession, dims: readonly number[]) {
    this.#session = session;
    this.#dims = dims;
    this.#zeros = new Uint16Array(dims.reduce((product, dim) => product * dim, 1));
  }

  static async create(folder: string, dims: readonly number[]): Promise<GpuBuffers> {
    const graph = new OnnxGraph("buffer");
    const halves = graph.input("halves", "f16", dims);
    graph.node("Add", "buffer", [halves, halves]);
    graph.output("buffer", "f16", dims);
    const model = join(folder, "buffer.onnx");
    await graph.write(model);
    const session = await createSession(model, { buffer: "gpu-buffer" });
    return new GpuBuffers(session, dims);
  }

  /** One more tensor, of zeros or of twice the f16 values. It lives as long as these buffers do. */
  async next(halves = this.#zeros): Promise<Tensor> {
    const { buffer } = await this.#session.run({
      halves: new Tensor("float16", halves, this.#dims),
    });
    if (buffer?.location !== "gpu-buffer") throw new Error("onnxruntime: no buffer on the GPU");
    return buffer;
  }

  async close(): Promise<void> {
    await this.#session.release();
  }
}
