import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StopMatcher } from "./stop-matcher.ts";

/** What comes out for pieces: the text, and the stop string if one was found. */
function run(stops: readonly string[], pieces: readonly string[]): [string, string | undefined] {
  const matcher = new StopMatcher(stops);
  let text = "";
  for (const piece of pieces) text += matcher.push(piece).text;
  const end = matcher.flush();
  return [text + end.text, end.stop];
}

describe("StopMatcher", () => {
  it("withholds what may become a stop string, and releases it when it does not", () => {
    const matcher = new StopMatcher(["</s>", "\n\nUser:"]);
    expect(matcher.push("Hello<")).toEqual({ text: "Hello", stop: undefined });
    expect(matcher.push("/")).toEqual({ text: "", stop: undefined });
    expect(matcher.push("b>")).toEqual({ text: "</b>", stop: undefined });
    expect(matcher.push("bye\n\nUs")).toEqual({ text: "bye", stop: undefined });
    expect(matcher.push("er: x")).toEqual({ text: "", stop: "\n\nUser:" });
    expect(matcher.push("more")).toEqual({ text: "", stop: "\n\nUser:" });
    expect(matcher.flush()).toEqual({ text: "", stop: "\n\nUser:" });
  });

  it("waits for a stop string that began earlier than the one it has", () => {
    expect(run(["abcd", "bc"], ["xab", "c", "d"])).toEqual(["x", "abcd"]);
    expect(run(["abcd", "bc"], ["xab", "c", "e"])).toEqual(["xa", "bc"]);
    expect(run(["abcd", "bc"], ["xabc"])).toEqual(["xa", "bc"]);
  });

  it("passes everything without stop strings, and refuses an empty one", () => {
    expect(run([], ["a", "b"])).toEqual(["ab", undefined]);
    expect(() => new StopMatcher(["a", ""])).toThrow("stop strings");
  });

  it("gives the text before the first stop string, however it is split", () => {
    const letters = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 30 });
    const stopStrings = fc.array(
      fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 1, maxLength: 5 }),
      { maxLength: 4 },
    );
    fc.assert(
      fc.property(stopStrings, fc.array(letters, { maxLength: 12 }), (stops, pieces) => {
        const text = pieces.join("");
        const found = stops.map((stop) => text.indexOf(stop)).filter((at) => at >= 0);
        const first = found.length === 0 ? text.length : Math.min(...found);
        const [emitted, stop] = run(stops, pieces);
        expect(emitted).toBe(text.slice(0, first));
        expect(stop !== undefined).toBe(found.length > 0);
      }),
      { numRuns: 1000 },
    );
  });
});
