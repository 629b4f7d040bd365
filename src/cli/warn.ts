import process from "node:process";

/** A warning as a line on standard error. */
export function warn(message: string): void {
  process.stderr.write(`tetrad: warning: ${message.replaceAll(/\s*\n\s*/g, " ")}\n`);
}
