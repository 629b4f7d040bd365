/**
 * Writes a GGUF of a known model's shapes with random Q4_0 weights: for measuring loads and speed
 * without anybody's weights.
 *
 *   node random-gguf.js SHAPE FILE     (SHAPE: llama-3.2-1b, llama-3.1-8b, qwen3-0.6b)
 */
import { open } from "node:fs/promises";
import process from "node:process";
import { f32, list, text, u32, writeGguf } from "../tests/support/gguf-writer.ts";
import type { MetadataValue, TensorToWrite } from "../tests/support/gguf-writer.ts";

interface Shape {
  readonly architecture: "llama" | "qwen3";
  readonly layers: number;
  readonly hidden: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly feedForward: number;
  readonly vocabulary: number;
  readonly context: number;
  readonly theta: number;
  readonly tied: boolean;
}

const SHAPES: Readonly<Record<string, Shape>> = {
  "llama-3.2-1b": {
    architecture: "llama",
    layers: 16,
    hidden: 2048,
    heads: 32,
    kvHeads: 8,
    headSize: 64,
    feedForward: 8192,
    vocabulary: 128_256,
    context: 131_072,
    theta: 500_000,
    tied: true,
  },
  "llama-3.1-8b": {
    architecture: "llama",
    layers: 32,
    hidden: 4096,
    heads: 32,
    kvHeads: 8,
    headSize: 128,
    feedForward: 14_336,
    vocabulary: 128_256,
    context: 131_072,
    theta: 500_000,
    tied: false,
  },
  "qwen3-0.6b": {
    architecture: "qwen3",
    layers: 28,
    hidden: 1024,
    heads: 16,
    kvHeads: 8,
    headSize: 128,
    feedForward: 3072,
    vocabulary: 151_936,
    context: 40_960,
    theta: 1_000_000,
    tied: true,
  },
};

/** Blocks made at a time: some 9 MB. */
const PIECE_BLOCKS = 2 ** 19;
const BLOCK_WORDS = 9;

function tensorsOf(shape: Shape): TensorToWrite[] {
  const { layers, hidden, heads, kvHeads, headSize, feedForward, vocabulary } = shape;
  const random = new RandomBlocks();
  const matrix = (name: string, rows: number, columns: number): TensorToWrite => ({
    name: `${name}.weight`,
    type: "Q4_0",
    dims: [rows, columns],
    data: () => random.pieces((rows * columns) / 32, columns),
  });
  const vector = (name: string, length: number): TensorToWrite => ({
    name: `${name}.weight`,
    type: "F32",
    dims: [length],
    data: new Uint8Array(new Float32Array(length).fill(1).buffer),
  });
  const tensors = [matrix("token_embd", vocabulary, hidden), vector("output_norm", hidden)];
  if (!shape.tied) tensors.push(matrix("output", vocabulary, hidden));
  for (let layer = 0; layer < layers; layer++) {
    const name = (part: string) => `blk.${layer}.${part}`;
    tensors.push(
      vector(name("attn_norm"), hidden),
      vector(name("ffn_norm"), hidden),
      matrix(name("attn_q"), heads * headSize, hidden),
      matrix(name("attn_k"), kvHeads * headSize, hidden),
      matrix(name("attn_v"), kvHeads * headSize, hidden),
      matrix(name("attn_output"), hidden, heads * headSize),
      matrix(name("ffn_gate"), feedForward, hidden),
      matrix(name("ffn_up"), feedForward, hidden),
      matrix(name("ffn_down"), hidden, feedForward),
    );
    if (shape.architecture === "qwen3") {
      tensors.push(vector(name("attn_q_norm"), headSize), vector(name("attn_k_norm"), headSize));
    }
  }
  return tensors;
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

function metadataOf(name: string, shape: Shape): Readonly<Record<string, MetadataValue>> {
  const { architecture } = shape;
  const sizes = {
    block_count: shape.layers,
    embedding_length: shape.hidden,
    "attention.head_count": shape.heads,
    "attention.head_count_kv": shape.kvHeads,
    "attention.key_length": shape.headSize,
    "attention.value_length": shape.headSize,
    "rope.dimension_count": shape.headSize,
    feed_forward_length: shape.feedForward,
    context_length: shape.context,
  };
  return {
    "general.architecture": text(architecture),
    "general.name": text(`${name}, random weights`),
    ...Object.fromEntries(
      Object.entries(sizes).map(([key, value]) => [`${architecture}.${key}`, u32(value)]),
    ),
    [`${architecture}.rope.freq_base`]: f32(shape.theta),
    [`${architecture}.attention.layer_norm_rms_epsilon`]: f32(1e-5),
    "tokenizer.ggml.model": text("gpt2"),
    "tokenizer.ggml.pre": text("llama-bpe"),
    "tokenizer.ggml.tokens": list("string", vocabularyOf(shape.vocabulary)),
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
      words[i] = (exponent << 10) | (words[i]! & 0x3ff);
    }
    this.#seed = seed;
    return new Uint8Array(words.buffer);
  }
}

/** Writes the file; a few megabytes at a time. */
export async function writeRandomGguf(shapeName: string, file: string): Promise<void> {
  const shape = SHAPES[shapeName];
  if (shape === undefined) {
    throw new Error(`shape "${shapeName}" is not known; known: ${Object.keys(SHAPES).join(", ")}`);
  }
  const handle = await open(file, "w");
  try {
    const model = { metadata: metadataOf(shapeName, shape), tensors: tensorsOf(shape) };
    await writeGguf(model, async (bytes) => void (await handle.write(bytes)));
  } finally {
    await handle.close();
  }
}

const [, script = "", shapeName, file] = process.argv;
if (script.includes("random-gguf")) {
  if (shapeName === undefined || file === undefined) {
    console.error(`usage: random-gguf SHAPE FILE; shapes: ${Object.keys(SHAPES).join(", ")}`);
    process.exitCode = 2;
  } else {
    await writeRandomGguf(shapeName, file);
  }
}
