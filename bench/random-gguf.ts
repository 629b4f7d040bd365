/**
 * Writes a GGUF of a known model's shapes with random Q4_0 weights: for measuring loads and speed
 * without anybody's weights.
 *
 *   node random-gguf.js SHAPE FILE     (SHAPE: llama-3.2-1b, llama-3.1-8b, qwen3-0.6b)
 */
import { open } from "node:fs/promises";
import process from "node:process";

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

const F32 = 0;
const Q4_0 = 2;
const ALIGNMENT = 32;
/** Blocks written at a time: some 9 MB. */
const PIECE_BLOCKS = 2 ** 19;

interface TensorSpec {
  readonly name: string;
  /** Outermost first. */
  readonly dims: readonly number[];
  readonly type: typeof F32 | typeof Q4_0;
}

function tensorsOf(shape: Shape): TensorSpec[] {
  const { layers, hidden, heads, kvHeads, headSize, feedForward, vocabulary } = shape;
  const matrix = (name: string, rows: number, columns: number): TensorSpec => ({
    name: `${name}.weight`,
    dims: [rows, columns],
    type: Q4_0,
  });
  const vector = (name: string, length: number): TensorSpec => ({
    name: `${name}.weight`,
    dims: [length],
    type: F32,
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

function byteLength({ dims, type }: TensorSpec): number {
  const elements = dims.reduce((product, dim) => product * dim, 1);
  return type === F32 ? 4 * elements : (elements / 32) * 18;
}

/** Bytes of a header, grown as they are appended. */
class HeaderWriter {
  readonly #parts: Buffer[] = [];

  #number(bytes: number, write: (buffer: Buffer) => unknown): void {
    const buffer = Buffer.alloc(bytes);
    write(buffer);
    this.#parts.push(buffer);
  }
  u32(value: number): void {
    this.#number(4, (buffer) => buffer.writeUInt32LE(value));
  }
  u64(value: number): void {
    this.#number(8, (buffer) => buffer.writeBigUInt64LE(BigInt(value)));
  }
  f32(value: number): void {
    this.#number(4, (buffer) => buffer.writeFloatLE(value));
  }
  string(text: string): void {
    const bytes = Buffer.from(text);
    this.u64(bytes.length);
    this.#parts.push(bytes);
  }
  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }
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

function writeHeader(name: string, shape: Shape, tensors: readonly TensorSpec[]): Buffer {
  const header = new HeaderWriter();
  const { architecture } = shape;
  const metadata: (() => void)[] = [];
  const entry = (key: string, type: number, write: () => void) =>
    metadata.push(() => {
      header.string(key);
      header.u32(type);
      write();
    });
  const text = (key: string, value: string) => entry(key, 8, () => header.string(value));
  const size = (key: string, value: number) =>
    entry(`${architecture}.${key}`, 4, () => header.u32(value));
  const real = (key: string, value: number) =>
    entry(`${architecture}.${key}`, 6, () => header.f32(value));
  const list = (key: string, type: number, length: number, write: () => void) =>
    entry(key, 9, () => {
      header.u32(type);
      header.u64(length);
      write();
    });

  text("general.architecture", architecture);
  text("general.name", `${name}, random weights`);
  size("block_count", shape.layers);
  size("embedding_length", shape.hidden);
  size("attention.head_count", shape.heads);
  size("attention.head_count_kv", shape.kvHeads);
  size("attention.key_length", shape.headSize);
  size("attention.value_length", shape.headSize);
  size("rope.dimension_count", shape.headSize);
  size("feed_forward_length", shape.feedForward);
  size("context_length", shape.context);
  real("rope.freq_base", shape.theta);
  real("attention.layer_norm_rms_epsilon", 1e-5);
  text("tokenizer.ggml.model", "gpt2");
  text("tokenizer.ggml.pre", "llama-bpe");
  const tokens = vocabularyOf(shape.vocabulary);
  list("tokenizer.ggml.tokens", 8, tokens.length, () => tokens.forEach((t) => header.string(t)));
  list("tokenizer.ggml.merges", 8, 0, () => {});

  header.u32(0x46554747);
  header.u32(3);
  header.u64(tensors.length);
  header.u64(metadata.length);
  for (const write of metadata) write();
  let offset = 0;
  for (const tensor of tensors) {
    header.string(tensor.name);
    header.u32(tensor.dims.length);
    for (const dim of [...tensor.dims].reverse()) header.u64(dim);
    header.u32(tensor.type);
    header.u64(offset);
    offset += Math.ceil(byteLength(tensor) / ALIGNMENT) * ALIGNMENT;
  }
  const bytes = header.bytes();
  return Buffer.concat([bytes, Buffer.alloc((ALIGNMENT - (bytes.length % ALIGNMENT)) % ALIGNMENT)]);
}

/** Random Q4_0 blocks whose matrix keeps a unit-variance input near unit variance. */
function randomBlocks(count: number, columns: number, state: { seed: number }): Buffer {
  const blocks = Buffer.alloc(count * 18);
  const words = new Uint16Array(blocks.buffer, blocks.byteOffset, count * 9);
  // Uniform nibbles have a standard deviation of 4.6.
  const exponent = Math.round(Math.log2(1 / (4.6 * Math.sqrt(columns)))) + 15;
  let { seed } = state;
  for (let i = 0; i < words.length; i++) {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    words[i] = seed >>> 16;
  }
  for (let block = 0; block < count; block++) {
    words[9 * block] = (exponent << 10) | (words[9 * block]! & 0x3ff);
  }
  state.seed = seed;
  return blocks;
}

/** Writes the file; a few megabytes at a time. */
export async function writeRandomGguf(shapeName: string, file: string): Promise<void> {
  const shape = SHAPES[shapeName];
  if (shape === undefined) {
    throw new Error(`shape "${shapeName}" is not known; known: ${Object.keys(SHAPES).join(", ")}`);
  }
  const tensors = tensorsOf(shape);
  const handle = await open(file, "w");
  const state = { seed: 1 };
  try {
    await handle.write(writeHeader(shapeName, shape, tensors));
    for (const tensor of tensors) {
      const bytes = byteLength(tensor);
      if (tensor.type === F32) {
        await handle.write(Buffer.from(new Float32Array(bytes / 4).fill(1).buffer));
      } else {
        for (let block = 0; block < bytes / 18; block += PIECE_BLOCKS) {
          const count = Math.min(PIECE_BLOCKS, bytes / 18 - block);
          await handle.write(randomBlocks(count, tensor.dims[1] ?? 1, state));
        }
      }
      await handle.write(Buffer.alloc((ALIGNMENT - (bytes % ALIGNMENT)) % ALIGNMENT));
    }
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
