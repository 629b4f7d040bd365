import { expect, test } from "vitest";
import { checkGuards, GuardedBuffer } from "./guarded-buffer.ts";

test("a byte beside an operand is found, and on which side", () => {
  const guards = new Uint8Array(2 * GuardedBuffer.guardBytes).fill(0xff);
  expect(() => checkGuards(["x", "out"], guards.buffer)).not.toThrow();
  guards[2 * GuardedBuffer.guardBytes - 1] = 0;
  expect(() => checkGuards(["x", "out"], guards.buffer)).toThrow('"out" was written after');
  guards[3] = 0;
  expect(() => checkGuards(["x", "out"], guards.buffer)).toThrow('"x" was written before');
});
