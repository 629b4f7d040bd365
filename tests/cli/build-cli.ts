import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";
import { wgslText } from "../../tools/wgsl-text.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Bundles the command at the depth it has in the package; returns its path. */
export async function buildCli(): Promise<string> {
  await build({
    configFile: false,
    logLevel: "warn",
    root: ROOT,
    plugins: [wgslText()],
    build: {
      ssr: "src/cli/main.ts",
      outDir: join(ROOT, "dist-test/cli"),
      target: "node20",
      rolldownOptions: { output: { entryFileNames: "main.js", codeSplitting: false } },
    },
  });
  return join(ROOT, "dist-test/cli/main.js");
}
