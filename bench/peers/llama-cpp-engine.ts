import process from "node:process";
import { getLlama } from "node-llama-cpp";
import type { Token } from "node-llama-cpp";
import type { Engine, EngineOptions } from "./engine.ts";
import peers from "./package.json" with { type: "json" };

/** Tokens of a prompt that are computed together: the package's default is 512, and slower. */
const BATCH_SIZE = 2048;

/** Loads the model into node-llama-cpp's Vulkan build; rejects where that finds no device. */
export async function llamaCppEngine(options: EngineOptions): Promise<Engine> {
  const { file, contextLength, allowSoftware } = options;
  // The Vulkan backend passes over drivers that compute on the CPU unless a device is named.
  if (allowSoftware) process.env["GGML_VK_VISIBLE_DEVICES"] ??= "0";
  const llama = await getLlama({
    gpu: "vulkan",
    build: "never",
    skipDownload: true,
    logLevel: "error",
  }).catch((error: unknown) => {
    throw new Error("the Vulkan build does not load here", { cause: error });
  });
  const [device] = await llama.getGpuDeviceNames();
  // Without a device it would compute on the CPU and not say so.
  if (device === undefined) throw new Error("the Vulkan build finds no device");
  const model = await llama.loadModel({ modelPath: file, gpuLayers: "max" });
  const context = await model.createContext({
    contextSize: contextLength,
    batchSize: Math.min(BATCH_SIZE, contextLength),
    sequences: 1,
  });
  const sequence = context.getSequence();

  async function* generate(prompt: readonly number[], maxTokens: number) {
    await sequence.clearHistory();
    let count = 0;
    const greedy = { temperature: 0, yieldEogToken: true };
    for await (const token of sequence.evaluate(prompt as readonly Token[], greedy)) {
      yield token;
      if (++count === maxTokens) return;
    }
  }

  return {
    title: `node-llama-cpp ${peers.dependencies["node-llama-cpp"]} (Vulkan)`,
    device,
    generate,
    close: () => llama.dispose(),
  };
}
