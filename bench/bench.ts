/** `tetrad bench` as one file: `node bench.mjs --shape llama-3.2-1b`. */
import process from "node:process";
import packageJson from "../package.json" with { type: "json" };
import { runCli } from "../src/cli/program.ts";

const [node = "", script = "", ...args] = process.argv;
process.exitCode = await runCli([node, script, "bench", ...args], {
  embeddedModel: "",
  version: packageJson.version,
});
