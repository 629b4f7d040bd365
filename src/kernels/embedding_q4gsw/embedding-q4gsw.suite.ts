import { restrictCapabilities } from "../../gpu/capabilities.ts";
import type { DeviceLimits } from "../../gpu/capabilities.ts";
import { f16ToF32, f32ToF16 } from "../../quant/f16.ts";
import { randomNumbers, randomValues } from "../testing/data.ts";
import { defineSuite } from "../testing/suite.ts";
import type { KernelCase } from "../testing/suite.ts";
import { embeddingQ4gswReference } from "./embedding-q4gsw.reference.ts";
import { embeddingQ4gsw } from "./embedding-q4gsw.ts";
import type { EmbeddingQ4gswShape } from "./embedding-q4gsw.ts";

type Live = { readonly count: number };

interface EmbeddingCase {
  readonly label: string;
  readonly V: number;
  readonly E: number;
  readonly groupSize: number;
  readonly indices: readonly number[];
  readonly scaleType?: "f16" | "f32";
  readonly evenInLowNibble?: boolean;
  readonly firstRow?: number;
  readonly limits?: Partial<DeviceLimits>;
}

const SEED = 8;

/** A random table: its weight, its scales as stored, and their values. */
export function randomTable({
  vocabularySize: V,
  embeddingSize: E,
  groupSize,
  scaleType,
}: EmbeddingQ4gswShape) {
  const next = randomNumbers(SEED);
  const rowBytes = 4 * Math.ceil(E / 8);
  const weight = Uint8Array.from({ length: V * rowBytes }, () => 256 * next());
  const f32 = randomValues(V * (E / groupSize), SEED + 1);
  if (scaleType === "f32") return { weight, scales: f32, values: f32 };
  const scales = f32ToF16(f32);
  return { weight, scales, values: f16ToF32(scales) };
}

function embeddingCase(options: EmbeddingCase): KernelCase<Live> {
  const { label, V, E, groupSize, scaleType = "f16", limits = {} } = options;
  const shape: EmbeddingQ4gswShape = {
    vocabularySize: V,
    embeddingSize: E,
    groupSize,
    scaleType,
    evenInLowNibble: options.evenInLowNibble ?? true,
    firstRow: options.firstRow ?? 0,
  };
  const indices = Int32Array.from(options.indices);
  const order = shape.evenInLowNibble ? "even low" : "even high";
  return {
    name: `${label} ${V}x${E} g${groupSize} ${scaleType} ${order}`,
    route: (capabilities) => embeddingQ4gsw(shape, restrictCapabilities(capabilities, { limits })),
    expectRoute: () => "embedding_q4gsw",
    live: { count: indices.length },
    operands: () => {
      const { weight, scales } = randomTable(shape);
      return { indices, weight, scales, out: { bytes: 4 * indices.length * E } };
    },
    expected: () => {
      const { weight, values } = randomTable(shape);
      const out = embeddingQ4gswReference(indices, weight, values, shape);
      return { out: { type: "f32", values: out } };
    },
    // One product of numbers of few bits.
    tolerance: { absolute: 0, relative: 1e-7 },
  };
}

const many = Array.from({ length: 700 }, (_, i) => (i * 37) % 64);

/** ExecuTorch's two rows, then the other layouts, shards and folded grids. */
export const embeddingQ4gswSuite = defineSuite("embedding_q4gsw", [
  embeddingCase({
    label: "small",
    V: 64,
    E: 64,
    groupSize: 32,
    indices: [1, 5, 63, 0],
    scaleType: "f32",
  }),
  embeddingCase({
    label: "llama1b",
    V: 512,
    E: 2048,
    groupSize: 64,
    indices: [1, 5, 511, 0],
    scaleType: "f32",
  }),
  embeddingCase({ label: "one token", V: 512, E: 2048, groupSize: 32, indices: [300] }),
  embeddingCase({
    label: "even high",
    V: 64,
    E: 64,
    groupSize: 32,
    indices: [1, 5, 63, 0],
    evenInLowNibble: false,
  }),
  embeddingCase({ label: "whole row", V: 33, E: 96, groupSize: 96, indices: [32, 0, 7] }),
  embeddingCase({ label: "odd scale count", V: 7, E: 24, groupSize: 8, indices: [6, 0, 6, 3] }),
  embeddingCase({
    label: "odd sizes",
    V: 9,
    E: 30,
    groupSize: 6,
    indices: [8, 0, 2],
    evenInLowNibble: false,
  }),
  embeddingCase({ label: "many", V: 64, E: 128, groupSize: 32, indices: many }),
  embeddingCase({ label: "first shard", V: 32, E: 64, groupSize: 32, indices: many }),
  embeddingCase({
    label: "second shard",
    V: 32,
    E: 64,
    groupSize: 32,
    indices: many,
    firstRow: 32,
  }),
  embeddingCase({
    label: "no such row",
    V: 16,
    E: 64,
    groupSize: 32,
    indices: [-1, 3, 16, 2 ** 31 - 1, 0, -(2 ** 31)],
  }),
  embeddingCase({
    label: "folded grid",
    V: 64,
    E: 64,
    groupSize: 32,
    indices: many.slice(0, 60),
    limits: { maxComputeWorkgroupsPerDimension: 8 },
  }),
]);
