/** Loads the embedded model by HTTP ranges and generates, as a site would. */
import type { GenerationResult, LoadProgress } from "../../src/browser.ts";
import { Tetrad } from "../../src/browser.ts";

/** What the test reads. */
export interface GeneratedPage {
  readonly adapter: string;
  readonly result: GenerationResult;
  /** Text as it streamed in. */
  readonly streamed: string;
  readonly progress: readonly LoadProgress[];
  /** From bytes in memory, after the first model was disposed. */
  readonly fromBuffer: readonly number[];
}

const parameters = new URLSearchParams(location.search);

async function run(): Promise<GeneratedPage> {
  const tetrad = await Tetrad.create();
  const progress: LoadProgress[] = [];
  const url = new URL(parameters.get("model") ?? "", location.href);
  const options = { maxTokens: Number(parameters.get("tokens")) };
  const prompt = parameters.get("prompt") ?? "";
  const model = await tetrad.load(url, { onProgress: (report) => progress.push(report) });
  const generation = model.generate(prompt, options);
  let streamed = "";
  for await (const { text } of generation) {
    streamed += text;
    document.querySelector("#story")!.textContent = prompt + streamed;
  }
  const result = await generation.result;
  await model.dispose();

  const bytes = await (await fetch(url)).arrayBuffer();
  const again = await tetrad.load(bytes);
  const { tokens: fromBuffer } = await again.generate(prompt, { maxTokens: 4 }).result;
  await tetrad.dispose();
  return { adapter: tetrad.adapterName, result, streamed, progress, fromBuffer };
}

Object.assign(globalThis, { generated: run() });
