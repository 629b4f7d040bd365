/** Loads the embedded model with tuning, as the first and every later visit of a site would. */
import { Tetrad } from "../../src/browser.ts";

/** What the test reads. */
export interface TunedPage {
  readonly statuses: readonly string[];
  readonly warnings: readonly string[];
  readonly tokens: readonly number[];
}

async function run(): Promise<TunedPage> {
  const warnings: string[] = [];
  const statuses = new Set<string>();
  const tetrad = await Tetrad.create({ onWarning: (message) => warnings.push(message) });
  const model = await tetrad.load(new URL("/models/stories-14m-q4_0.gguf", location.href), {
    tune: true,
    contextLength: 16,
    onProgress: ({ status }) => statuses.add(status),
  });
  const { tokens } = await model.generate("Once upon", { maxTokens: 3 }).result;
  await tetrad.dispose();
  return { statuses: [...statuses], warnings, tokens };
}

Object.assign(globalThis, { tuned: run() });
