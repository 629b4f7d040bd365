/** A checkpoint of a model's shape with random weights, made row by row while they are read. */
import type { Checkpoint, CheckpointTensor, Q4Matrix, RowSource } from "../checkpoint.ts";
import { RequestError } from "../errors.ts";
import { numberToF16Bits } from "../quant/f16.ts";
import { weightShapes } from "./shapes.ts";
import type { ModelShape } from "./shapes.ts";

const GROUP_SIZE = 32;

/** Root mean square of a uniform nibble less 8. */
const NIBBLE_SIZE = 4.637;
/** Of a scale, as a part of its mean. */
const SCALE_SIZE = 1.018;

const SCALE_COUNT = 256;

/**
 * f16 scales of a row of K: of both signs, else every row would lean to one side; within a factor of two of each
 * other; and as large as keeps rows of unit variance there. With more, all of a deep model's layers would
 * make each rounding larger.
 */
function scaleBits(columns: number): Uint16Array {
  const mean = 1 / (NIBBLE_SIZE * SCALE_SIZE * Math.sqrt(columns));
  const sizes = SCALE_COUNT / 2;
  return Uint16Array.from({ length: SCALE_COUNT }, (_, i) => {
    const part = ((i % sizes) + 0.5) / sizes;
    const scale = mean * (2 / 3) * (1 + part);
    return numberToF16Bits(i < sizes ? scale : -scale);
  });
}

/** FNV-1a of a name, so that tensors differ. */
function seedOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) {
    hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193) >>> 0;
  }
  return hash;
}

/** Mixes a row's number into a seed: rows read alone are as read together. */
const rowSeed = (seed: number, row: number): number => {
  const mixed = Math.imul(seed ^ Math.imul(row + 1, 0x9e3779b1), 0x85ebca6b);
  return (mixed ^ (mixed >>> 15)) >>> 0 || 1;
};

/**
 * A random matrix in Q4_0's form: uniform nibbles, and f16 scales with which rows of unit variance keep it. The
 * same for the same name.
 */
export function randomQ4Matrix(name: string, rows: number, columns: number): Q4Matrix {
  if (columns % GROUP_SIZE !== 0) {
    throw new RequestError(`"${name}" has ${columns} columns; they must be a multiple of 32`);
  }
  const bits = scaleBits(columns);
  const seed = seedOf(name);
  const words = columns / 8;
  const groups = columns / GROUP_SIZE;
  const planeRowBytes = [columns / 2, 2 * groups];
  const read = (start: number, count: number): Promise<Uint8Array[]> => {
    const nibbles = new Uint32Array(count * words);
    const scales = new Uint16Array(count * groups);
    for (let row = 0; row < count; row++) {
      // Xorshift (Marsaglia, 2003).
      let state = rowSeed(seed, start + row);
      for (let i = row * words, end = i + words; i < end; i++) {
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        nibbles[i] = state;
      }
      for (let i = row * groups, end = i + groups; i < end; i++) {
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        scales[i] = bits[state & (SCALE_COUNT - 1)]!;
      }
    }
    return Promise.resolve([new Uint8Array(nibbles.buffer), new Uint8Array(scales.buffer)]);
  };
  const storedRowBytes = columns / 2 + 2 * groups;
  const data: RowSource = { rows, storedRowBytes, planeRowBytes, read };
  return { rows, columns, groupSize: GROUP_SIZE, scaleType: "f16", data, requantized: false };
}

/** A vector of ones. */
export function ones(rows: number): RowSource {
  const read = (_: number, count: number) =>
    Promise.resolve([new Uint8Array(new Float32Array(count).fill(1).buffer)]);
  return { rows, storedRowBytes: 4, planeRowBytes: [4], read };
}

function matrixTensor(name: string, rows: number, columns: number, seed: string): CheckpointTensor {
  const matrix = randomQ4Matrix(`${seed}${name}`, rows, columns);
  return {
    name,
    dims: [rows, columns],
    storedType: "Q4_0",
    byteLength: rows * matrix.data.storedRowBytes,
    q4: () => matrix,
    f32: () => {
      throw new RequestError(`"${name}" is a matrix of 4 bits`);
    },
  };
}

function vectorTensor(name: string, length: number): CheckpointTensor {
  return {
    name,
    dims: [length],
    storedType: "F32",
    byteLength: 4 * length,
    q4: () => {
      throw new RequestError(`"${name}" is a vector`);
    },
    f32: () => ones(length),
  };
}

/** A checkpoint of `shape`: random 4-bit matrices, norms of one. The same for the same seed. */
export function randomCheckpoint(shape: ModelShape, seed = ""): Checkpoint {
  const tensors = weightShapes(shape).map(({ name, rows, columns }) =>
    columns === undefined ? vectorTensor(name, rows) : matrixTensor(name, rows, columns, seed),
  );
  return {
    architecture: shape.architecture,
    hyperparameters: shape.hyperparameters,
    tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])),
    source: `${shape.name} with random weights`,
  };
}
