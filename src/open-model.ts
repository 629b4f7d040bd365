/** What a file is, by its first bytes, and its reader: everything before the GPU is touched. */
import type { ByteSource } from "./byte-source.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { FormatError, RequestError } from "./errors.ts";
import { ggufCheckpoint } from "./formats/gguf/checkpoint.ts";
import { readGguf } from "./formats/gguf/read.ts";
import { describeRequantized } from "./formats/gguf/weights-report.ts";
import { openProgramDecoder } from "./formats/pte/decoder.ts";
import { readProgram } from "./formats/pte/read-program.ts";
import type { DecoderGraph, DecoderOptions } from "./graph/decoder-graph.ts";
import { elementCount } from "./graph/ir.ts";
import { maxOf } from "./graph/symint.ts";
import { buildModel } from "./models/index.ts";
import { tokenizerFromGguf } from "./text/gguf-tokenizer.ts";
import { tokenizerFromJson } from "./text/json-tokenizer.ts";
import type { Tokenizer } from "./text/tokenizer.ts";

/** What every format yields. */
export interface OpenedModel {
  readonly name: string;
  readonly architecture: string;
  readonly parameters: number;
  /** Positions the model can attend to. */
  readonly contextLength: number;
  readonly tokenizer: Tokenizer;
  readonly warnings: readonly string[];
  build(options: DecoderOptions): Promise<DecoderGraph>;
}

/** The largest `tokenizer.json` in use is 35 MB. */
const MAX_TOKENIZER_BYTES = 2 ** 28;

type FileFormat = "gguf" | "pte" | "other";

async function sniff(source: ByteSource, signal: AbortSignal | undefined): Promise<FileFormat> {
  const head = await source.read(0, Math.min(8, source.byteLength), signal);
  const text = String.fromCharCode(...head);
  if (text.startsWith("GGUF")) return "gguf";
  // Any version: the reader says which it knows.
  return /^ET\d\d$/.test(text.slice(4)) ? "pte" : "other";
}

/** Reads a model's metadata. Throws `FormatError`, `UnsupportedError` or `RequestError`. */
export async function openModel(
  source: ByteSource,
  tokenizer: ByteSource | undefined,
  signal: AbortSignal | undefined,
): Promise<OpenedModel> {
  const format = await sniff(source, signal);
  if (format === "pte") return openProgram(source, tokenizer, signal);
  // A file that is neither is refused by the reader of the more common format.
  return openGguf(source, tokenizer, signal);
}

async function openGguf(
  source: ByteSource,
  tokenizerSource: ByteSource | undefined,
  signal: AbortSignal | undefined,
): Promise<OpenedModel> {
  const file = await readGguf(source, signal);
  const checkpoint = ggufCheckpoint(file, source);
  const name = file.metadata.get("general.name");
  const requantized = describeRequantized(file);
  return {
    name: typeof name === "string" && name !== "" ? name : source.name,
    architecture: checkpoint.architecture,
    parameters: countParameters(checkpoint),
    contextLength: checkpoint.hyperparameters.contextLength,
    tokenizer:
      tokenizerSource === undefined
        ? tokenizerFromGguf(file.metadata)
        : await readTokenizer(tokenizerSource, signal),
    warnings: requantized === undefined ? [] : [requantized],
    build: (options) => buildModel(checkpoint, options),
  };
}

async function openProgram(
  source: ByteSource,
  tokenizerSource: ByteSource | undefined,
  signal: AbortSignal | undefined,
): Promise<OpenedModel> {
  if (tokenizerSource === undefined) {
    throw new RequestError(
      `${source.name}: an ExecuTorch program has no tokenizer: ` +
        `pass a tokenizer.json, or a GGUF file of the model, as the option "tokenizer"`,
    );
  }
  const program = await openProgramDecoder(await readProgram(source, signal), undefined, signal);
  const tokenizer = await readTokenizer(tokenizerSource, signal);
  return {
    name: source.name,
    architecture: "executorch",
    parameters: program.parameters,
    contextLength: program.contextLength,
    tokenizer: tokenizer.withEndIds(program.endIds),
    warnings: [],
    build: (options) => Promise.resolve(program.build(options)),
  };
}

async function readTokenizer(
  source: ByteSource,
  signal: AbortSignal | undefined,
): Promise<Tokenizer> {
  if ((await sniff(source, signal)) === "gguf") {
    return tokenizerFromGguf((await readGguf(source, signal)).metadata);
  }
  if (source.byteLength > MAX_TOKENIZER_BYTES) {
    throw new FormatError(
      `${source.name}: ${source.byteLength} bytes are too many for a tokenizer`,
    );
  }
  const text = new TextDecoder().decode(await source.read(0, source.byteLength, signal));
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new FormatError(`${source.name}: not a tokenizer.json: ${String(cause)}`, { cause });
  }
  return tokenizerFromJson(json);
}

function countParameters(checkpoint: Checkpoint): number {
  let count = 0;
  for (const { dims } of checkpoint.tensors.values()) count += maxOf(elementCount(dims));
  return count;
}
