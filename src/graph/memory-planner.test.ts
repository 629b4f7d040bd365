import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { planMemory } from "./memory-planner.ts";
import type { Lifetime } from "./memory-planner.ts";

const lifetimes = fc.array(
  fc
    .tuple(fc.integer({ min: 1, max: 1000 }), fc.nat(50), fc.nat(20))
    .map(([bytes, first, length]): Lifetime => ({ bytes, first, last: first + length })),
  { maxLength: 60 },
);

describe("planMemory", () => {
  test("buffers that live at once never share a slot, and every buffer fits its slot", () => {
    fc.assert(
      fc.property(lifetimes, (buffers) => {
        const { slotOf, slotBytes } = planMemory(buffers);
        buffers.forEach((a, i) => {
          expect(slotBytes[slotOf[i]!]).toBeGreaterThanOrEqual(a.bytes);
          buffers.forEach((b, j) => {
            if (i >= j || slotOf[i] !== slotOf[j]) return;
            expect(a.last < b.first || b.last < a.first).toBe(true);
          });
        });
      }),
    );
  });

  test("a chain needs two slots however long it is", () => {
    const chain = Array.from({ length: 40 }, (_, i) => ({ bytes: 64, first: i, last: i + 1 }));
    expect(planMemory(chain).slotBytes).toEqual([64, 64]);
  });

  test("prefers the slot that fits best to one that is larger", () => {
    const { slotOf } = planMemory([
      { bytes: 1000, first: 0, last: 0 },
      { bytes: 100, first: 0, last: 0 },
      { bytes: 90, first: 1, last: 1 },
    ]);
    expect(slotOf[2]).toBe(slotOf[1]);
  });
});
