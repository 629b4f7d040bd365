import process from "node:process";
import { TetradError } from "../errors.ts";

const WRONG_INPUT = 2;
const FAILED = 1;

/** 2 where other arguments or another file would help, 1 where the machine or a bug is the cause. */
export function exitCodeOf(error: unknown): number {
  return error instanceof TetradError && error.code !== "device" ? WRONG_INPUT : FAILED;
}

/** One line on standard error; with `debug` the stack as well. */
export function reportError(error: unknown, debug: boolean): void {
  const message = error instanceof Error ? error.message : String(error);
  const known = error instanceof TetradError;
  const hint = known || debug ? "" : " (a bug in tetrad, or in a driver: --debug says where)";
  process.stderr.write(`tetrad: ${message.replaceAll(/\s*\n\s*/g, " ")}${hint}\n`);
  if (!debug) return;
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    process.stderr.write(`${cause.stack ?? String(cause)}\n`);
  }
}
