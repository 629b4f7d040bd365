import type { ByteSource } from "../../byte-source.ts";
import type { Checkpoint } from "../../checkpoint.ts";
import { FormatError, UnsupportedError } from "../../errors.ts";
import { describeValue } from "./architecture-metadata.ts";
import { ARCHITECTURES } from "./architectures.ts";
import { readHyperparameters } from "./hyperparameters.ts";
import type { GgufFile } from "./read.ts";
import { GgufTensor } from "./tensor-rows.ts";

/** A model in several files has its number of parts here, and only some of its tensors in each. */
const SPLIT_COUNT = "split.count";

/**
 * The checkpoint in a GGUF file; tensors are read from `source` when they are needed. Throws
 * `UnsupportedError` for other architectures and `FormatError` for hyperparameters that make no
 * sense. That the tensors fit them is checked when the model is built.
 */
export function ggufCheckpoint(file: GgufFile, source: ByteSource): Checkpoint {
  const name = file.metadata.get("general.architecture");
  if (typeof name !== "string") {
    throw new FormatError(
      `gguf: ${source.name}: metadata "general.architecture" is ${describeValue(name)}; ` +
        `must be a string`,
    );
  }
  const architecture = ARCHITECTURES.get(name);
  if (architecture === undefined) {
    throw new UnsupportedError(
      `gguf: ${source.name}: architecture ${JSON.stringify(name)} is not supported; ` +
        `supported: ${[...ARCHITECTURES.keys()].join(", ")}`,
    );
  }
  const parts = file.metadata.get(SPLIT_COUNT);
  if (typeof parts === "number" && parts > 1) {
    throw new UnsupportedError(
      `gguf: ${source.name}: one of ${parts} files of a split model; supported: one file, merged`,
    );
  }
  return {
    architecture: name,
    hyperparameters: readHyperparameters(file, name, architecture, source.name),
    tensors: new Map(file.tensors.map((info) => [info.name, new GgufTensor(info, source)])),
    source: source.name,
  };
}
