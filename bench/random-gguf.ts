/**
 * Writes a GGUF of a known model's shapes with random Q4_0 weights: for measuring loads and speed
 * without anybody's weights.
 *
 *   node random-gguf.js SHAPE FILE
 */
import { open } from "node:fs/promises";
import process from "node:process";
import { modelShape, SHAPE_NAMES, weightShapes } from "../src/bench/shapes.ts";
import type { ModelShape } from "../src/bench/shapes.ts";
import { f32, list, text, u32, writeGguf } from "../tests/support/gguf-writer.ts";
import type { MetadataValue, TensorToWrite } from "../tests/support/gguf-writer.ts";

/** Blocks made at a time: some 9 MB. */
const PIECE_BLOCKS = 2 ** 19;
const BLOCK_WORDS = 9;

function tensorsOf(shape: ModelShape): TensorToWrite[] {
  const random = new RandomBlocks();
  return weightShapes(shape).map(({ name, rows, columns }) =>
    columns === undefined
      ? {
          name,
          type: "F32",
          dims: [rows],
          data: new Uint8Array(new Float32Array(rows).fill(1).buffer),
        }
      : {
          name,
          type: "Q4_0",
          dims: [rows, columns],
          data: () => random.pieces((rows * columns) / 32, columns),
        },
  );
}

/** A byte-level vocabulary: 256 byte tokens, then placeholders nobody's text produces. */
function vocabularyOf(size: number): string[] {
  const printable = (byte: number) =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  let shifted = 0;
  const bytes = Array.from({ length: 256 }, (_, byte) =>
    String.fromCodePoint(printable(byte) ? byte : 256 + shifted++),
  );
  return Array.from({ length: size }, (_, id) => bytes[id] ?? `<filler ${id}>`);
}

function metadataOf(shape: ModelShape): Readonly<Record<string, MetadataValue>> {
  const { name, architecture, hyperparameters: h } = shape;
  const sizes = {
    block_count: h.layers,
    embedding_length: h.hiddenSize,
    "attention.head_count": h.heads,
    "attention.head_count_kv": h.kvHeads,
    "attention.key_length": h.headSize,
    "attention.value_length": h.headSize,
    "rope.dimension_count": h.ropeSize,
    feed_forward_length: h.feedForwardSize,
    context_length: h.contextLength,
  };
  return {
    "general.architecture": text(architecture),
    "general.name": text(`${name}, random weights`),
    ...Object.fromEntries(
      Object.entries(sizes).map(([key, value]) => [`${architecture}.${key}`, u32(value)]),
    ),
    [`${architecture}.rope.freq_base`]: f32(h.ropeTheta),
    [`${architecture}.attention.layer_norm_rms_epsilon`]: f32(h.normEpsilon),
    "tokenizer.ggml.model": text("gpt2"),
    "tokenizer.ggml.pre": text("llama-bpe"),
    "tokenizer.ggml.tokens": list("string", vocabularyOf(h.vocabularySize)),
    "tokenizer.ggml.merges": list("string", []),
  };
}

/** Random Q4_0 blocks whose matrix keeps a unit-variance input near unit variance. */
class RandomBlocks {
  #seed = 1;

  *pieces(blocks: number, columns: number): Generator<Uint8Array> {
    // Uniform nibbles have a standard deviation of 4.6.
    const exponent = Math.round(Math.log2(1 / (4.6 * Math.sqrt(columns)))) + 15;
    for (let block = 0; block < blocks; block += PIECE_BLOCKS) {
      yield this.#piece(Math.min(PIECE_BLOCKS, blocks - block), exponent);
    }
  }

  #piece(blocks: number, exponent: number): Uint8Array {
    const words = new Uint16Array(blocks * BLOCK_WORDS);
    let seed = this.#seed;
    for (let i = 0; i < words.length; i++) {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      words[i] = seed >>> 16;
    }
    for (let i = 0; i < words.length; i += BLOCK_WORDS) {
      // Scales of both signs. Nibbles are −0.5 on average: with one sign every row would have a part in
      // common, which grows from layer to layer until all answers are one token, and f16 overflows.
      words[i] = (exponent << 10) | (words[i]! & 0x83ff);
    }
    this.#seed = seed;
    return new Uint8Array(words.buffer);
  }
}

/** Writes the file; a few megabytes at a time. */
export async function writeRandomGguf(shapeName: string, file: string): Promise<void> {
  const shape = modelShape(shapeName);
  const handle = await open(file, "w");
  try {
    const model = { metadata: metadataOf(shape), tensors: tensorsOf(shape) };
    await writeGguf(model, async (bytes) => void (await handle.write(bytes)));
  } finally {
    await handle.close();
  }
}

const [, script = "", shapeName, file] = process.argv;
if (script.includes("random-gguf")) {
  if (shapeName === undefined || file === undefined) {
    console.error(`usage: random-gguf SHAPE FILE; shapes: ${SHAPE_NAMES.join(", ")}`);
    process.exitCode = 2;
  } else {
    await writeRandomGguf(shapeName, file);
  }
}
