import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";
import { wgslText } from "../../tools/wgsl-text.ts";

const OUTPUT = fileURLToPath(new URL("../../dist-browser", import.meta.url));

/** Builds an HTML file with its modules as a site would; returns the folder to serve. */
export async function buildPage(html: string): Promise<string> {
  const outDir = join(OUTPUT, basename(html, ".html"));
  await build({
    configFile: false,
    logLevel: "warn",
    root: dirname(html),
    plugins: [wgslText()],
    build: {
      outDir,
      emptyOutDir: true,
      target: "es2023",
      rolldownOptions: { input: html },
    },
  });
  return outDir;
}
