/**
 * The same model shapes through Tetrad, node-llama-cpp (Vulkan) and onnxruntime-node (WebGPU), one
 * after the other on one file of random weights, and tables of what came out: see README.md.
 *
 *   node dist/run.mjs [--shape NAME,…] [--gguf FILE] [--json FILE]
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { ggufCheckpoint } from "../../src/formats/gguf/checkpoint.ts";
import { readGguf } from "../../src/formats/gguf/read.ts";
import { fileSource } from "../../src/platform/node/file-source.ts";
import { writeRandomGguf } from "../random-gguf.ts";
import { ENGINE_NAMES, isEngineName } from "./engine.ts";
import type { Task } from "./messages.ts";
import { projectionsOf } from "./projections.ts";
import { runEngine } from "./run-engine.ts";
import type { EngineResult } from "./run-engine.ts";
import { formatResult } from "./table.ts";
import type { ShapeResult } from "./table.ts";

const { values: args } = parseArgs({
  options: {
    shape: { type: "string", default: "llama-3.2-1b" },
    gguf: { type: "string" },
    engines: { type: "string", default: ENGINE_NAMES.join() },
    contexts: { type: "string", default: "128,512,2048,8192" },
    "new-tokens": { type: "string", default: "128" },
    products: { type: "string", default: "512,2048" },
    runs: { type: "string", default: "5" },
    timeout: { type: "string", default: "900" },
    "dawn-features": { type: "string", default: "" },
    "onnx-accuracy": { type: "string", default: "4" },
    "onnx-qkv": { type: "string", default: "packed" },
    software: { type: "boolean", default: false },
    folder: { type: "string", default: tmpdir() },
    json: { type: "string" },
  },
});

const list = (text: string) => text.split(",").filter((item) => item !== "");

function count(name: keyof typeof args, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} ${text} is not a count`);
  return value;
}

const contexts = list(args.contexts).map((text) => count("contexts", text));
const promptRows = list(args.products).map((text) => count("products", text));
const newTokens = count("new-tokens", args["new-tokens"]);
const runs = count("runs", args.runs);
const timeoutMs = 1000 * count("timeout", args.timeout);
const engines = list(args.engines).map((name) => {
  if (isEngineName(name)) return name;
  throw new Error(`--engines ${name} is not known; known: ${ENGINE_NAMES.join(", ")}`);
});

async function vocabularySizeOf(file: string): Promise<number> {
  const source = await fileSource(file);
  try {
    return ggufCheckpoint(await readGguf(source), source).hyperparameters.vocabularySize;
  } finally {
    await source.close();
  }
}

/** Every engine on one model, then every engine that has them on its products. */
async function compare(name: string, file: string, folder: string): Promise<ShapeResult> {
  const options = {
    file,
    folder,
    contextLength: Math.max(...contexts) + newTokens,
    allowSoftware: args.software,
    dawnFeatures: list(args["dawn-features"]),
    onnxAccuracyLevel: args["onnx-accuracy"] === "0" ? 0 : 4,
    onnxQkv: args["onnx-qkv"] === "separate" ? "separate" : "packed",
  } as const;
  const measure = { newTokens, runs, vocabularySize: await vocabularySizeOf(file) };
  const runAll = async (work: Pick<Task, "contexts" | "projections">, names: typeof engines) => {
    const results: EngineResult[] = [];
    for (const engine of names) {
      const task = { engine, options, measure, ...work };
      results.push(await runEngine(task, timeoutMs, (line) => console.error(`${name}: ${line}`)));
    }
    return results;
  };
  const projections = args.gguf === undefined ? projectionsOf(name, promptRows) : [];
  return {
    name,
    engines: await runAll({ contexts, projections: [] }, engines),
    products:
      projections.length === 0 || promptRows.length === 0
        ? []
        : await runAll(
            { contexts: [], projections },
            engines.filter((engine) => engine !== "node-llama-cpp"),
          ),
  };
}

const shapes: ShapeResult[] = [];
for (const name of args.gguf === undefined ? list(args.shape) : [basename(args.gguf)]) {
  const folder = await mkdtemp(join(args.folder, "tetrad-peers-"));
  try {
    const file = args.gguf ?? join(folder, `${name}.gguf`);
    if (args.gguf === undefined) await writeRandomGguf(name, file);
    const result = await compare(name, file, folder);
    shapes.push(result);
    console.log(formatResult(result, contexts));
  } finally {
    await rm(folder, { recursive: true });
  }
}
if (args.json !== undefined) {
  await writeFile(args.json, JSON.stringify({ newTokens, runs, shapes }, undefined, 2));
}
// A peer that cannot run here is a line of the report; Tetrad has to run.
const failed = shapes.some(({ engines: models, products }) =>
  [...models, ...products].some(({ engine, failure }) => engine === "tetrad" && failure),
);
if (failed) process.exitCode = 1;
