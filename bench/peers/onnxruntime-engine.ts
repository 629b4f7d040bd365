import { join } from "node:path";
import { Tensor } from "onnxruntime-node";
import type { InferenceSession } from "onnxruntime-node";
import { ggufCheckpoint } from "../../src/formats/gguf/checkpoint.ts";
import { readGguf } from "../../src/formats/gguf/read.ts";
import { fileSource } from "../../src/platform/node/file-source.ts";
import type { Engine, EngineOptions } from "./engine.ts";
import { cacheNames, writeDecoderModel } from "./onnx/decoder.ts";
import { createSession, GpuBuffers } from "./onnx/session.ts";
import peers from "./package.json" with { type: "json" };

/**
 * A decoder in an ONNX Runtime session. The caches stay on the GPU: a run has the same buffers as
 * inputs and as outputs, so that its tokens are appended in place. Logits come to the CPU, which
 * chooses the token, as in the runtime's own greedy loops.
 */
class OnnxDecoder {
  readonly #session: InferenceSession;
  /** Caches by the names of the inputs, and of the outputs. */
  readonly #past: Readonly<Record<string, Tensor>>;
  readonly #present: Readonly<Record<string, Tensor>>;

  constructor(session: InferenceSession, caches: readonly Tensor[]) {
    this.#session = session;
    const names = cacheNames(caches.length / 2);
    const named = (which: "past" | "present") =>
      Object.fromEntries(caches.map((cache, i) => [names[i]?.[which], cache]));
    this.#past = named("past");
    this.#present = named("present");
  }

  /** Runs tokens from `position` on; returns the one that follows. */
  async #next(tokens: readonly number[], position: number): Promise<number> {
    const total = position + tokens.length;
    const ids = BigInt64Array.from(tokens, BigInt);
    const { logits } = await this.#session.run(
      {
        ...this.#past,
        input_ids: new Tensor("int64", ids, [1, tokens.length]),
        seqlens_k: new Tensor("int32", new Int32Array([total - 1]), [1]),
        total_sequence_length: new Tensor("int32", new Int32Array([total]), [1]),
      },
      { ...this.#present, logits: null },
    );
    if (!(logits?.data instanceof Float32Array)) throw new Error("onnxruntime: no logits of f32");
    return indexOfLargest(logits.data);
  }

  async *generate(prompt: readonly number[], maxTokens: number): AsyncGenerator<number> {
    let token = await this.#next(prompt, 0);
    for (let count = 1; ; count++) {
      yield token;
      if (count === maxTokens) return;
      token = await this.#next([token], prompt.length + count - 1);
    }
  }
}

/** Throws where the first value, with which all others are compared, or the largest is not finite. */
function indexOfLargest(values: Float32Array): number {
  let largest = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[largest]!) largest = i;
  if (!Number.isFinite(values[largest])) throw new Error("onnxruntime: logits are not finite");
  return largest;
}

/**
 * Writes the checkpoint as an ONNX model of f16 and loads it on onnxruntime-node's WebGPU provider.
 * Rejects where that has no adapter or would leave operators to the CPU.
 */
export async function onnxRuntimeEngine(options: EngineOptions): Promise<Engine> {
  const { file, folder, contextLength, onnxAccuracyLevel: accuracyLevel, onnxQkv: qkv } = options;
  const source = await fileSource(file);
  const checkpoint = ggufCheckpoint(await readGguf(source), source);
  const { layers, kvHeads, headSize } = checkpoint.hyperparameters;
  const model = join(folder, "decoder.onnx");
  await writeDecoderModel(checkpoint, model, { type: "f16", accuracyLevel, contextLength, qkv });
  await source.close();
  const session = await createSession(model);
  const buffers = await GpuBuffers.create(folder, [1, kvHeads, contextLength, headSize]);
  const caches: Tensor[] = [];
  for (const _ of cacheNames(layers)) caches.push(await buffers.next());
  const decoder = new OnnxDecoder(session, caches);
  return {
    title: `onnxruntime-node ${peers.dependencies["onnxruntime-node"]} (WebGPU)`,
    device: "",
    generate: (prompt, maxTokens) => decoder.generate(prompt, maxTokens),
    async close() {
      await session.release();
      await buffers.close();
    },
  };
}
