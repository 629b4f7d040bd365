/**
 * Logits against another way to compute them on the same device: no pass over the graph, no kernel
 * beyond plain f32, and an f32 cache, the whole text as one prompt.
 */
import { planDecoder } from "../generate/decoder-plans.ts";
import { DecoderSession } from "../generate/decoder-session.ts";
import { restrictCapabilities } from "../gpu/capabilities.ts";
import { GpuDevice } from "../gpu/device.ts";
import type { DecoderGraph, DecoderOptions } from "../graph/decoder-graph.ts";
import { promptChunk } from "../prompt-chunk.ts";
import type { Checks } from "./checks.ts";
import { randomPrompt, timeRequest } from "./session-speed.ts";

/** Decoded before the second comparison. */
const STEPS = 8;

/**
 * Largest root mean square of the differences, as a part of that of the logits: see docs/numerics.md.
 * A wrong kernel gives 1.
 */
export const LOGITS_TOLERANCE = 2e-2;

/** Logits after a prompt, and after some tokens decoded behind it. */
export interface KeptLogits {
  readonly context: number;
  readonly tokens: readonly number[];
  readonly prompt: Float32Array;
  readonly decoded: Float32Array;
}

/** Asks the session that is measured. */
export async function keepLogits(session: DecoderSession, context: number): Promise<KeptLogits> {
  const prompt = randomPrompt(context, session.decoder.vocabularySize);
  await timeRequest(session, { prompt, maxTokens: 1 });
  const first = await session.readLogits();
  const { tokens } = await timeRequest(session, { prompt, maxTokens: STEPS });
  return { context, tokens, prompt: first, decoded: await session.readLogits() };
}

/** Root mean square of a − b as a part of b's. */
export function relativeDifference(a: Float32Array, b: Float32Array): number {
  let [difference, size] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    difference += (a[i]! - b[i]!) ** 2;
    size += b[i]! ** 2;
  }
  return Math.sqrt(difference / size);
}

/** Loads the model once more, plainly, and compares. */
export async function compareWithReference(
  gpu: GpuDevice,
  build: (options: DecoderOptions) => Promise<DecoderGraph>,
  kept: readonly KeptLogits[],
  checks: Checks,
): Promise<void> {
  const longest = Math.max(...kept.map(({ context }) => context)) + STEPS;
  const plain = restrictCapabilities(gpu.capabilities, {
    f16: false,
    subgroups: false,
    integerDot: false,
    subgroupMatrices: false,
  });
  const decoder = await build({
    contextLength: longest,
    maxSequenceLength: Math.min(promptChunk(plain), longest),
    cacheType: "f32",
  });
  const plainGpu = new GpuDevice(gpu.device, plain, false);
  const unfused = <T>(graph: T): T => graph;
  const plans = planDecoder(decoder, plain, undefined, unfused);
  const session = await DecoderSession.load(plainGpu, decoder, { plans });
  try {
    for (const { context, tokens, prompt, decoded } of kept) {
      const text = randomPrompt(context, decoder.vocabularySize);
      const compare = async (what: string, found: Float32Array, tail: readonly number[]) => {
        await timeRequest(session, { prompt: [...text, ...tail], maxTokens: 1 });
        const difference = relativeDifference(found, await session.readLogits());
        checks.add(
          `logits after ${what} as in plain f32`,
          difference <= LOGITS_TOLERANCE,
          `${difference.toExponential(1)} of their size; allowed ${LOGITS_TOLERANCE}`,
        );
      };
      await compare(`a prompt of ${context}`, prompt, []);
      // The last token's logits are not computed.
      const tail = tokens.slice(0, -1);
      await compare(`${tail.length} tokens decoded at ${context}`, decoded, tail);
    }
  } finally {
    await session.dispose();
  }
}
