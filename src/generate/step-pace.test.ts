import { describe, expect, test } from "vitest";
import { ArrivalPace } from "./step-pace.ts";

const GPU = { software: false };

/** The pace after a request whose tokens came every `stepMs`. */
function paceAfter(device: typeof GPU, stepMs: number, tokens = 20): ArrivalPace {
  const pace = new ArrivalPace(device);
  pace.begin();
  for (let i = 0; i < tokens; i++) pace.arrived(1000 + i * stepMs);
  return pace;
}

describe("steps of a submit", () => {
  test("one, until the speed is known", () => {
    expect(new ArrivalPace(GPU).ahead(false)).toEqual({ steps: 1, inFlight: 4 });
    expect(paceAfter(GPU, 0.5, 8).ahead(false)).toEqual({ steps: 1, inFlight: 4 });
    expect(paceAfter(GPU, 0.5, 9).ahead(false)).toEqual({ steps: 4, inFlight: 12 });
  });

  test("as many as are over before a reader would see that they come together", () => {
    expect(paceAfter(GPU, 1).ahead(false)).toEqual({ steps: 4, inFlight: 12 });
    expect(paceAfter(GPU, 1.9).ahead(false)).toEqual({ steps: 2, inFlight: 6 });
    expect(paceAfter(GPU, 2.1).ahead(false)).toEqual({ steps: 1, inFlight: 4 });
    expect(paceAfter(GPU, 30).ahead(false)).toEqual({ steps: 1, inFlight: 4 });
  });

  test("what a request found holds for the next one's begin, until that is measured", () => {
    const pace = paceAfter(GPU, 1);
    pace.begin();
    for (let i = 0; i < 8; i++) pace.arrived(5000 + 30 * i);
    expect(pace.ahead(false).steps).toBe(4);
    pace.arrived(5240);
    expect(pace.ahead(false).steps).toBe(1);
  });

  test("two submits wait behind the one that runs, but before the first token one", () => {
    const pace = paceAfter(GPU, 1);
    pace.begin();
    expect(pace.ahead(false)).toEqual({ steps: 4, inFlight: 8 });
    pace.arrived(5000);
    expect(pace.ahead(false)).toEqual({ steps: 4, inFlight: 12 });
  });

  test("one where runs upload their sizes, or the CPU computes", () => {
    expect(paceAfter(GPU, 0.5).ahead(true)).toEqual({ steps: 1, inFlight: 4 });
    expect(paceAfter({ software: true }, 0.5).ahead(false)).toEqual({ steps: 1, inFlight: 2 });
  });

  test("a clock that stands still is no speed", () => {
    expect(paceAfter(GPU, 0).ahead(false).steps).toBe(1);
  });
});
