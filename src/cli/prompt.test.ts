import { expect, test } from "vitest";
import { RequestError } from "../errors.ts";
import { parseTarget } from "./prompt.ts";

test.each<[words: string[], model: string | undefined, prompt: string | undefined]>([
  [[], undefined, undefined],
  [["-"], undefined, undefined],
  [["Once upon"], undefined, "Once upon"],
  [["model.gguf"], "model.gguf", undefined],
  [["https://example.org/m.GGUF"], "https://example.org/m.GGUF", undefined],
  [["model.gguf", "-"], "model.gguf", undefined],
  [["anything", "at all"], "anything", "at all"],
])("%j", (words, model, prompt) => {
  expect(parseTarget(words)).toEqual({ model, prompt });
});

test("an unquoted prompt is noticed", () => {
  expect(() => parseTarget(["Once", "upon", "a"])).toThrow(RequestError);
});
