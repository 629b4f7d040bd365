import type { GpuDevice } from "../../gpu/device.ts";
import { runRoute } from "../testing/run-route.ts";
import { loadCache, sdpaShape, storeCache } from "./sdpa-with-kv-cache.cases.ts";
import type { CacheType, SdpaConfig } from "./sdpa-with-kv-cache.cases.ts";
import { sdpaReference } from "./sdpa-with-kv-cache.reference.ts";
import { sdpaWithKvCache } from "./sdpa-with-kv-cache.ts";

/** A sequence of calls over one cache, as prefill and decoding make them. */
export interface SdpaReplay {
  readonly name: string;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly cacheLength: number;
  readonly cacheType: CacheType;
  /** Rows of each call. */
  readonly steps: readonly number[];
}

const small = { heads: 8, kvHeads: 4, headSize: 4, cacheLength: 16 };
const smallD = { heads: 6, kvHeads: 2, headSize: 8, cacheLength: 16 };
const llama3 = { heads: 24, kvHeads: 8, headSize: 128, cacheLength: 256 };
const qwen3 = { heads: 16, kvHeads: 8, headSize: 128, cacheLength: 64 };
const ones = [1, 1, 1, 1, 1, 1];

/** ExecuTorch's own sequences; decoding alone is the same geometries, a row at a time. */
export const sdpaReplays: readonly SdpaReplay[] = [
  { name: "small", ...small, cacheType: "f32", steps: [3, 1, 1, 5, 1, 1, 2] },
  { name: "small_d", ...smallD, cacheType: "f32", steps: [3, 1, 1, 5, 1, 1] },
  { name: "small_d f16", ...smallD, cacheType: "f16", steps: [3, 1, 1, 5, 1, 1] },
  { name: "llama3", ...llama3, cacheType: "f32", steps: [111, 1, 1, 1, 57, 1, 1] },
  { name: "qwen3_fd", ...qwen3, cacheType: "f16", steps: [17, 1] },
  { name: "decode small", ...small, cacheType: "f32", steps: ones },
  { name: "decode small_d", ...smallD, cacheType: "f32", steps: ones },
  { name: "decode llama3", ...llama3, cacheType: "f32", steps: ones },
];

/** What a step gave and should have given. */
export interface ReplayedStep {
  readonly index: number;
  readonly route: string;
  readonly actual: Float32Array;
  readonly expected: Float64Array;
}

/** `((i + 31 · step) mod modulus − offset) / 16`, so that no two steps are alike. */
function stepRamp(length: number, step: number, modulus: number, offset: number) {
  return Float32Array.from({ length }, (_, i) => (((i + 31 * step) % modulus) - offset) / 16);
}

function stepInputs({ heads, kvHeads, headSize }: SdpaReplay, S: number, step: number) {
  return {
    q: stepRamp(S * heads * headSize, step, 17, 8),
    k: stepRamp(S * kvHeads * headSize, step, 13, 6),
    v: stepRamp(S * kvHeads * headSize, step, 11, 5),
  };
}

/**
 * Runs the calls in order, the GPU's caches handed from one to the next, beside a float64 reference
 * that keeps its own. `fault` breaks the GPU's side on purpose.
 */
export async function runReplay(
  gpu: GpuDevice,
  replay: SdpaReplay,
  fault?: "pinned position" | "fresh cache",
): Promise<ReplayedStep[]> {
  const { heads, kvHeads, headSize, cacheLength, cacheType } = replay;
  const row = kvHeads * headSize;
  const scale = 1 / Math.sqrt(headSize);
  const empty = () => new Float32Array(cacheLength * row);
  const reference = { kCache: empty(), vCache: empty() };
  let caches: { k: Float32Array; v: Float32Array } = { k: empty(), v: empty() };
  let position = 0;
  const steps: ReplayedStep[] = [];
  for (const [index, S] of replay.steps.entries()) {
    const inputs = stepInputs(replay, S, index);
    reference.kCache.set(inputs.k, position * row);
    reference.vCache.set(inputs.v, position * row);
    const given = fault === "pinned position" ? 0 : position;
    if (fault === "fresh cache") caches = { k: empty(), v: empty() };
    const config: SdpaConfig = { ...replay, S, position: given };
    const route = sdpaWithKvCache(
      sdpaShape(config, cacheType, S === 1 ? "one" : "many"),
      gpu.capabilities,
    );
    const results = await runRoute(
      gpu,
      route,
      {
        ...inputs,
        k_cache: storeCache(caches.k, cacheType),
        v_cache: storeCache(caches.v, cacheType),
        input_pos: Int32Array.of(given),
        out: { bytes: inputs.q.byteLength },
      },
      { S, position: given },
      ["out", "k_cache", "v_cache"],
    );
    const bytes = (name: string) => results[name] ?? new ArrayBuffer(0);
    caches = {
      k: loadCache(bytes("k_cache"), cacheType),
      v: loadCache(bytes("v_cache"), cacheType),
    };
    const input = { heads, kvHeads, headSize, scale, position, q: inputs.q, ...reference };
    steps.push({
      index,
      route: route.name,
      actual: new Float32Array(bytes("out")),
      expected: sdpaReference(input),
    });
    position += S;
  }
  return steps;
}
