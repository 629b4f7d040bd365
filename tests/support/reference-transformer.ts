import { rotaryFrequencies } from "../../src/models/rotary-tables.ts";
import type { TinyCheckpoint } from "./tiny-checkpoint.ts";

/**
 * A Llama-like forward pass in float64, written for clarity: the logits after each token of
 * `tokens`, [tokens, vocabulary]. Independent of the graph, the plan and the kernels.
 */
export function referenceLogits(
  checkpoint: TinyCheckpoint,
  tokens: readonly number[],
): Float64Array[] {
  const { hyperparameters: hp, values } = checkpoint;
  const { hiddenSize, heads, kvHeads, headSize, feedForwardSize, vocabularySize } = hp;
  const get = (name: string): Float32Array => {
    const found = values.get(name);
    if (found === undefined) throw new Error(`no tensor ${name}`);
    return found;
  };
  const frequencies = rotaryFrequencies(hp.ropeSize, hp.ropeTheta, hp.ropeScaling);

  const norm = (x: Float64Array, weight: Float32Array) => {
    const mean = x.reduce((sum, value) => sum + value * value, 0) / x.length;
    return x.map((value, i) => (value / Math.sqrt(mean + hp.normEpsilon)) * weight[i]!);
  };
  const linear = (x: Float64Array, name: string, rows: number) => {
    const weight = get(`${name}.weight`);
    const bias = values.get(`${name}.bias`);
    return Float64Array.from({ length: rows }, (_, row) => {
      let sum = bias?.[row] ?? 0;
      for (let k = 0; k < x.length; k++) sum += x[k]! * weight[row * x.length + k]!;
      return sum;
    });
  };
  const rotate = (head: Float64Array, position: number) => {
    const out = head.slice();
    const half = hp.ropeSize / 2;
    for (let i = 0; i < half; i++) {
      const [a, b] = hp.ropeLayout === "half" ? [i, i + half] : [2 * i, 2 * i + 1];
      const angle = position * frequencies[i]!;
      out[a] = head[a]! * Math.cos(angle) - head[b]! * Math.sin(angle);
      out[b] = head[a]! * Math.sin(angle) + head[b]! * Math.cos(angle);
    }
    return out;
  };

  const caches = Array.from({ length: hp.layers }, () => ({
    k: [] as Float64Array[][],
    v: [] as Float64Array[][],
  }));
  return tokens.map((token, position) => {
    let h = Float64Array.from(
      get("token_embd.weight").subarray(token * hiddenSize, (token + 1) * hiddenSize),
    );
    caches.forEach((cache, layer) => {
      const name = (part: string) => `blk.${layer}.${part}`;
      const x = norm(h, get(name("attn_norm.weight")));
      const split = (which: "q" | "k" | "v", count: number) => {
        const flat = linear(x, name(`attn_${which}`), count * headSize);
        const weight = values.get(name(`attn_${which}_norm.weight`));
        return Array.from({ length: count }, (_, head) => {
          const part = flat.slice(head * headSize, (head + 1) * headSize);
          const normed = weight === undefined ? part : norm(part, weight);
          return which === "v" ? normed : rotate(normed, position);
        });
      };
      const q = split("q", heads);
      cache.k.push(split("k", kvHeads));
      cache.v.push(split("v", kvHeads));
      const attended = new Float64Array(heads * headSize);
      q.forEach((query, head) => {
        const kvHead = Math.floor(head / (heads / kvHeads));
        const scores = cache.k.map(
          (keys) =>
            query.reduce((sum, value, d) => sum + value * keys[kvHead]![d]!, 0) /
            Math.sqrt(headSize),
        );
        const most = Math.max(...scores);
        const weights = scores.map((score) => Math.exp(score - most));
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        cache.v.forEach((rows, c) => {
          for (let d = 0; d < headSize; d++) {
            attended[head * headSize + d]! += (weights[c]! / total) * rows[kvHead]![d]!;
          }
        });
      });
      const output = linear(attended, name("attn_output"), hiddenSize);
      h = h.map((value, i) => value + output[i]!);
      const y = norm(h, get(name("ffn_norm.weight")));
      const gate = linear(y, name("ffn_gate"), feedForwardSize);
      const up = linear(y, name("ffn_up"), feedForwardSize);
      const hidden = gate.map((value, i) => (value / (1 + Math.exp(-value))) * up[i]!);
      const down = linear(hidden, name("ffn_down"), hiddenSize);
      h = h.map((value, i) => value + down[i]!);
    });
    const head = values.has("output.weight") ? "output" : "token_embd";
    return linear(norm(h, get("output_norm.weight")), head, vocabularySize);
  });
}
