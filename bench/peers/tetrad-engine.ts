import type * as Built from "../../src/node.ts";
import manifest from "../../package.json" with { type: "json" };
import type { Engine, EngineOptions } from "./engine.ts";

/** The package as it is built and installed, seen from the bundle in `dist/`. */
const ENTRY = "../../../dist/node.js";

/** Loads the model into Tetrad; rejects where there is no GPU. */
export async function tetradEngine(options: EngineOptions): Promise<Engine> {
  const { file, contextLength, allowSoftware, dawnFeatures } = options;
  const { Tetrad } = (await import(new URL(ENTRY, import.meta.url).href)) as typeof Built;
  const tetrad = await Tetrad.create({ requireGpu: !allowSoftware, dawnFeatures });
  const model = await tetrad.load(file, { contextLength });
  return {
    title: ["tetrad", manifest.version, ...dawnFeatures].join(" "),
    device: tetrad.adapterName,
    generate: (prompt, maxTokens) => model.session.decode({ prompt, maxTokens, reuseCache: false }),
    close: () => tetrad.dispose(),
  };
}
