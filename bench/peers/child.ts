/**
 * The process of one engine. Each has its own, because a crash ends no other's measurements, and
 * because two builds of Dawn, or Dawn and another user of Vulkan's loader, do not belong in one.
 */
import process from "node:process";
import type { Engine, EngineName, EngineOptions } from "./engine.ts";
import { measureContext } from "./measure.ts";
import type { Message, Task } from "./messages.ts";
import { measureProjection } from "./projections.ts";
import type { ProjectionEngine } from "./projections.ts";

type Loader<T> = (options: EngineOptions) => Promise<T>;

/** Imported when asked for: a package that is not installed is missed by its own engine only. */
const ENGINES: Readonly<Record<EngineName, Loader<Engine>>> = {
  tetrad: async (options) => (await import("./tetrad-engine.ts")).tetradEngine(options),
  "node-llama-cpp": async (options) =>
    (await import("./llama-cpp-engine.ts")).llamaCppEngine(options),
  "onnxruntime-node": async (options) =>
    (await import("./onnxruntime-engine.ts")).onnxRuntimeEngine(options),
};

/** node-llama-cpp has no interface to single products. */
const PROJECTIONS: Readonly<Partial<Record<EngineName, Loader<ProjectionEngine>>>> = {
  tetrad: async (options) => (await import("./tetrad-projections.ts")).tetradProjections(options),
  "onnxruntime-node": async (options) =>
    (await import("./onnxruntime-projections.ts")).onnxRuntimeProjections(options),
};

const send = (message: Message): Promise<void> =>
  new Promise((resolve) => {
    if (process.send === undefined) resolve(console.log(JSON.stringify(message)));
    else process.send(message, undefined, undefined, () => resolve());
  });

async function runModel({ engine: name, contexts, options, measure }: Task): Promise<Engine> {
  const engine = await ENGINES[name](options);
  await send({ type: "loaded", title: engine.title, device: engine.device });
  for (const context of contexts) {
    await send({ type: "context", result: await measureContext(engine, context, measure) });
  }
  return engine;
}

async function runProjections(task: Task): Promise<ProjectionEngine> {
  const { engine: name, projections, options, measure } = task;
  const load = PROJECTIONS[name];
  if (load === undefined) throw new Error("there is no interface to single products");
  const engine = await load(options);
  await send({ type: "loaded", title: engine.title, device: engine.device });
  for (const projection of projections) {
    const result = await measureProjection(engine, projection, measure.runs);
    await send({ type: "projection", result });
  }
  return engine;
}

try {
  const task = JSON.parse(process.argv[2] ?? "") as Task;
  const engine = task.projections.length > 0 ? await runProjections(task) : await runModel(task);
  // Before closing: what a driver does there takes nothing from what was measured.
  await send({ type: "finished" });
  await engine.close();
} catch (error) {
  await send({ type: "failed", reason: error instanceof Error ? error.message : String(error) });
}
// Libraries keep threads and handles.
process.exit();
