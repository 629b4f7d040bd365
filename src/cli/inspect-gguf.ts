import type { ByteSource } from "../byte-source.ts";
import type { Checkpoint } from "../checkpoint.ts";
import { RequestError, UnsupportedError } from "../errors.ts";
import { ggufCheckpoint } from "../formats/gguf/checkpoint.ts";
import { readGguf } from "../formats/gguf/read.ts";
import { describeRequantized } from "../formats/gguf/weights-report.ts";
import { argumentTensors, maxByteLength } from "../graph/ir.ts";
import type { Tensor } from "../graph/ir.ts";
import { buildModel } from "../models/index.ts";
import { formatBytes, formatCount } from "./quantities.ts";
import { formatTable } from "./table.ts";

/** What a load without `contextLength` takes at most. */
const DEFAULT_CONTEXT = 4096;
const LONGEST_VALUE = 72;

function shorten(text: string): string {
  const line = text.replaceAll(/\s+/g, " ");
  return line.length > LONGEST_VALUE ? `${line.slice(0, LONGEST_VALUE - 1)}…` : line;
}

/** A metadata value on one line; of an array its length and how it begins. */
function describeValue(value: unknown): string {
  const isList =
    Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
  if (!isList) return shorten(String(value));
  const list = value as ArrayLike<unknown>;
  const head = Array.from({ length: Math.min(8, list.length) }, (_, i) => String(list[i]));
  return shorten(`${formatCount(list.length)} items: ${head.join(", ")}`);
}

interface TypeSum {
  tensors: number;
  elements: number;
  bytes: number;
}

function sumByType(checkpoint: Checkpoint): ReadonlyMap<string, TypeSum> {
  const sums = new Map<string, TypeSum>();
  for (const { storedType, dims, byteLength } of checkpoint.tensors.values()) {
    const sum = sums.get(storedType) ?? { tensors: 0, elements: 0, bytes: 0 };
    sum.tensors += 1;
    sum.elements += dims.reduce((product, dim) => product * dim, 1);
    sum.bytes += byteLength;
    sums.set(storedType, sum);
  }
  return sums;
}

/** Bytes of the model's constants and of its KV cache on the GPU. */
async function memoryOf(
  checkpoint: Checkpoint,
  contextLength: number,
  cacheType: "f16" | "f32",
): Promise<{ readonly weights: number; readonly cache: number }> {
  const { graph } = await buildModel(checkpoint, {
    contextLength,
    maxSequenceLength: 1,
    cacheType,
  });
  const seen = new Set<Tensor>();
  let weights = 0;
  let cache = 0;
  for (const { args } of graph.nodes) {
    for (const tensor of argumentTensors(args)) {
      if (seen.has(tensor)) continue;
      seen.add(tensor);
      if (tensor.storage.kind === "constant") weights += maxByteLength(tensor);
      if (tensor.storage.kind === "state") cache += maxByteLength(tensor);
    }
  }
  return { weights, cache };
}

async function describeMemory(
  checkpoint: Checkpoint,
  requested: number | undefined,
): Promise<string[]> {
  const { contextLength: trained } = checkpoint.hyperparameters;
  if (requested !== undefined && requested > trained) {
    throw new RequestError(`--context ${requested}: the model was trained for ${trained}`);
  }
  const context = requested ?? Math.min(trained, DEFAULT_CONTEXT);
  try {
    const rows: string[][] = [];
    for (const cacheType of ["f16", "f32"] as const) {
      const { weights, cache } = await memoryOf(checkpoint, context, cacheType);
      rows.push([
        "",
        `KV cache ${cacheType}`,
        `${formatBytes(weights)} weights + ${formatBytes(cache)} cache`,
        `= ${formatBytes(weights + cache)}`,
      ]);
    }
    return [`memory on the GPU for ${formatCount(context)} positions`, formatTable(rows)];
  } catch (error) {
    if (!(error instanceof UnsupportedError)) throw error;
    return [`cannot be run: ${error.message}`];
  }
}

/** What a GGUF file holds and what it will take to run it, for people. */
export async function inspectGguf(
  source: ByteSource,
  context: number | undefined,
): Promise<string> {
  const file = await readGguf(source);
  const checkpoint = ggufCheckpoint(file, source);
  const types = [...sumByType(checkpoint)].sort(([, a], [, b]) => b.bytes - a.bytes);
  const requantized = describeRequantized(file);
  return [
    `${source.name}: GGUF, ${checkpoint.architecture}, ${formatBytes(source.byteLength)}`,
    "",
    "metadata",
    formatTable([...file.metadata].map(([key, value]) => ["", key, describeValue(value)])),
    "",
    "tensors by type",
    formatTable(
      types.map(([type, { tensors, elements, bytes }]) => [
        "",
        type,
        `${tensors} tensors`,
        `${formatCount(elements)} values`,
        formatBytes(bytes),
      ]),
      [2, 3, 4],
    ),
    "",
    "tensors",
    formatTable(
      [...checkpoint.tensors.values()].map(({ name, storedType, dims, byteLength }) => [
        "",
        name,
        storedType,
        `[${dims.join(", ")}]`,
        formatBytes(byteLength),
      ]),
      [4],
    ),
    "",
    ...(requantized === undefined ? [] : [requantized, ""]),
    ...(await describeMemory(checkpoint, context)),
  ].join("\n");
}
