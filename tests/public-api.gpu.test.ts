import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compare } from "../src/kernels/testing/compare.ts";
import { FormatError, RequestError, Tetrad } from "../src/node.ts";
import type { TypedTensor } from "../src/node.ts";

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const floats = async (name: string) =>
  new Float32Array((await readFile(path(name))).buffer.slice(0));

/** What only the public classes do; what they are made of has tests of its own. */
describe("Tetrad", () => {
  let tetrad: Tetrad;
  beforeAll(async () => {
    const forceSoftware = process.env["TETRAD_TEST_ADAPTER"] === "swiftshader";
    tetrad = await Tetrad.create({ forceSoftware });
  });
  afterAll(() => tetrad.dispose());

  test("runs an ExecuTorch program's method on typed tensors", async () => {
    const name = "fixtures/pte/q4_bias_5x64x40_g32";
    const program = await tetrad.loadProgram(path(`${name}.pte`));
    expect(program.methods).toEqual(["forward"]);
    const x = await floats(`${name}.in0.bin`);
    const [out] = await program.run("forward", [{ type: "f32", dims: [5, 64], data: x }]);
    const { dims, data } = out as TypedTensor;
    expect(dims).toEqual([5, 40]);
    const golden = await floats(`${name}.out0.bin`);
    const tolerance = { absolute: 1e-4, relative: 1e-3 };
    expect(compare(data as Float32Array, golden, tolerance).report).toBe("");
    await program.dispose();
  });

  test("streams text, stops at a stop string, and tells why it ended", async () => {
    const model = await tetrad.load(path("../models/stories-14m/stories-14m-q4_0.gguf"), {
      contextLength: 64,
    });
    const prompt = "The king said to his youngest son,";
    const whole = model.generate(prompt, { maxTokens: 8 });
    let streamed = "";
    for await (const { text } of whole) streamed += text;
    const { text, stopReason, tokens, promptTokens } = await whole.result;
    expect(streamed).toBe(text);
    expect([stopReason, tokens.length]).toEqual(["length", 8]);
    expect(promptTokens).toBe(model.tokenize(prompt).length);

    const stop = text.slice(3, 7);
    const stopped = await model.generate(prompt, { maxTokens: 8, stop }).result;
    expect([stopped.stopReason, stopped.text]).toEqual(["stop", text.slice(0, text.indexOf(stop))]);
    expect(() => model.generate("word ".repeat(100))).toThrow(RequestError);
    await model.dispose();
    await expect(model.generate(prompt).result).rejects.toThrow(RequestError);
  });

  test("reports what a file is not", async () => {
    const nonsense = new TextEncoder().encode("This is not a model. ".repeat(10));
    await expect(tetrad.load(nonsense)).rejects.toThrow(FormatError);
    await expect(tetrad.loadProgram(nonsense)).rejects.toThrow(FormatError);
    await expect(tetrad.load(path("no-such-file.gguf"))).rejects.toThrow(/no such file/i);
  });
});
