/**
 * What loading costs and how fast the first tokens come: peak memory of the process over what it had
 * before, seconds to load, and tokens a second of a greedy generation, with its tokens checked to
 * repeat.
 *
 *   node load-and-decode.js FILE|SHAPE [PROMPT_TOKENS] [NEW_TOKENS]
 */
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { Tetrad } from "../src/node.ts";
import { writeRandomGguf } from "./random-gguf.ts";

const MEBIBYTE = 2 ** 20;
const [, , what = "llama-3.2-1b", promptTokens = "128", newTokens = "128"] = process.argv;

const mebibytes = (bytes: number) => `${(bytes / MEBIBYTE).toFixed(0)} MiB`;

const isFile = await stat(what).then(
  () => true,
  () => false,
);
const folder = isFile ? undefined : await mkdtemp(join(tmpdir(), "tetrad-bench-"));
const file = folder === undefined ? what : join(folder, `${what}.gguf`);
if (folder !== undefined) await writeRandomGguf(what, file);

const dawnFeatures = process.env["DAWN_FEATURES"]?.split(",") ?? [];
const tetrad = await Tetrad.create({ onWarning: (message) => console.log(message), dawnFeatures });
const before = process.memoryUsage();
let peakRss = before.rss;
let peakHeap = 0;
const watch = setInterval(() => {
  const now = process.memoryUsage();
  peakRss = Math.max(peakRss, now.rss);
  peakHeap = Math.max(peakHeap, now.heapUsed + now.external + now.arrayBuffers);
}, 5);
const started = performance.now();
const model = await tetrad.load(file, { contextLength: 4096 });
const loadMs = performance.now() - started;
clearInterval(watch);

const { size } = await stat(file);
console.log(`${tetrad.adapterName}: ${what}, ${mebibytes(size)}`);
console.log(
  `load: ${(loadMs / 1000).toFixed(2)} s; peak RSS ${mebibytes(peakRss)} ` +
    `(${mebibytes(peakRss - before.rss)} over the start), peak JS heap and buffers ${mebibytes(peakHeap)}`,
);

const prompt = Array.from({ length: Number(promptTokens) }, (_, i) => (i * 7919) % 256);
const runs: string[] = [];
for (let run = 0; run < 6; run++) {
  const tokens: number[] = [];
  const began = performance.now();
  let first = 0;
  for await (const token of model.session.decode({
    prompt,
    maxTokens: Number(newTokens),
    reuseCache: false,
  })) {
    if (tokens.length === 0) first = performance.now();
    tokens.push(token);
  }
  const ended = performance.now();
  runs.push(tokens.join());
  const rate = ((tokens.length - 1) * 1000) / (ended - first);
  console.log(
    `run ${run}: first token after ${(first - began).toFixed(1)} ms, then ${rate.toFixed(1)} tokens/s`,
  );
}
if (new Set(runs).size !== 1) {
  console.log("FAILED: greedy runs of one prompt differ");
  process.exitCode = 1;
}
console.log(`tokens: ${runs[0]?.split(",").slice(0, 16).join(" ")} …`);
await tetrad.dispose();
if (folder !== undefined) await rm(folder, { recursive: true });
