import { expect, test } from "vitest";
import { pollPatiently } from "./patient-polling.ts";

test("what calls itself again and again does so once a millisecond", async () => {
  pollPatiently();
  const seen: unknown[] = [];
  const began = performance.now();
  clearImmediate(setImmediate(() => seen.push("cleared")));
  await new Promise<void>((resolve) => {
    const again = (left: number, word: string): void => {
      seen.push(word);
      if (left > 0) setImmediate(again, left - 1, word);
      else resolve();
    };
    setImmediate(again, 20, "look");
  });
  expect(seen).toEqual(Array.from({ length: 21 }, () => "look"));
  // Timers are never early by a whole millisecond.
  expect(performance.now() - began).toBeGreaterThan(10);
});
