#!/usr/bin/env node
import process from "node:process";
import { fileURLToPath } from "node:url";
import packageJson from "../../package.json" with { type: "json" };
import { runCli } from "./program.ts";

/** The model that the package brings; two folders up both from here and from `dist/cli`. */
const embeddedModel = fileURLToPath(
  new URL("../../models/stories-14m/stories-14m-q4_0.gguf", import.meta.url),
);

// A reader such as `head` may leave early: that is no error of ours.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

// No process.exit: output that is still buffered is written, and no GPU work is cut off.
process.exitCode = await runCli(process.argv, { embeddedModel, version: packageJson.version });
