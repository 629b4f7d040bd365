import type { Checkpoint } from "../checkpoint.ts";
import { UnsupportedError } from "../errors.ts";
import type { DecoderGraph, DecoderOptions } from "../graph/decoder-graph.ts";
import { llama } from "./llama.ts";
import { qwen2 } from "./qwen2.ts";
import { qwen3 } from "./qwen3.ts";
import { buildTransformer } from "./transformer.ts";
import type { Architecture } from "./transformer.ts";

/** Architectures by the name a checkpoint gives them. */
const ARCHITECTURES: Readonly<Record<string, Architecture>> = { llama, qwen2, qwen3 };

/** Builds the graph of a checkpoint. Throws `UnsupportedError` for an unknown architecture. */
export function buildModel(checkpoint: Checkpoint, options: DecoderOptions): Promise<DecoderGraph> {
  const architecture = Object.hasOwn(ARCHITECTURES, checkpoint.architecture)
    ? ARCHITECTURES[checkpoint.architecture]
    : undefined;
  if (architecture === undefined) {
    throw new UnsupportedError(
      `${checkpoint.source}: architecture "${checkpoint.architecture}" is not supported; ` +
        `supported: ${Object.keys(ARCHITECTURES).join(", ")}`,
    );
  }
  return buildTransformer(checkpoint, architecture, options);
}
