/**
 * Golden ids of the reference implementations: byte-level BPE from Hugging Face tokenizers 0.23,
 * SentencePiece BPE from sentencepiece 0.2.3. The small vocabularies were trained on a page of text
 * without any pre-tokenisation, so that merges cross every boundary a pre-tokenizer could draw.
 */
import { describe, expect, it } from "vitest";
import byteLevel from "../../tests/fixtures/text/byte-level.json" with { type: "json" };
import stages from "../../tests/fixtures/text/stages.json" with { type: "json" };
import sentencePiece from "../../tests/fixtures/text/sentencepiece.json" with { type: "json" };
import { tokenizerFromGguf } from "./gguf-tokenizer.ts";
import { tokenizerFromJson } from "./json-tokenizer.ts";
import { splitBy } from "./split.ts";
import type { SplitBehavior } from "./split.ts";
import type { Tokenizer } from "./tokenizer.ts";

type Golden = readonly [text: string, ids: readonly number[]];

const expectIds = (
  tokenizer: Tokenizer,
  cases: Iterable<Golden>,
  options: { parseSpecial?: boolean; addSpecial?: boolean } = {},
): void => {
  const all = [...cases];
  expect(all.map(([text]) => [text, tokenizer.encode(text, options)])).toEqual(all);
};

const goldens = (texts: readonly string[], ids: readonly (readonly number[])[]): Golden[] =>
  texts.map((text, i) => [text, ids[i]!]);

describe("byte-level BPE", () => {
  const { texts, special, added } = byteLevel;
  const tokens = [...byteLevel.tokens, ...special, ...added];
  const tokenType = [
    ...byteLevel.tokens.map(() => 1),
    ...special.map(() => 3),
    ...added.map(() => 4),
  ];

  describe.each(Object.entries(byteLevel.pre))("%s", (pre, golden) => {
    const fromGguf = tokenizerFromGguf(
      new Map<string, unknown>([
        ["tokenizer.ggml.model", "gpt2"],
        ["tokenizer.ggml.pre", pre],
        ["tokenizer.ggml.tokens", tokens],
        ["tokenizer.ggml.token_type", tokenType],
        ["tokenizer.ggml.merges", byteLevel.merges.map((pair) => pair.join(" "))],
      ]),
    );
    const { vocab: _vocab, merges: _merges, ...model } = golden.tokenizer.model;
    const fromJson = tokenizerFromJson({
      ...golden.tokenizer,
      model: {
        ...model,
        vocab: Object.fromEntries(byteLevel.tokens.map((token, id) => [token, id])),
        merges: byteLevel.merges,
      },
    });
    const cases = goldens(texts, golden.ids);

    it("encodes as the reference, from GGUF", () => {
      // The fixture's texts name special tokens of other vocabularies only.
      expectIds(fromGguf, cases);
      expectIds(fromGguf, golden.special as unknown as Golden[], { parseSpecial: true });
    });

    it("encodes as the reference, from tokenizer.json", () => {
      expectIds(fromJson, cases);
      expectIds(fromJson, golden.special as unknown as Golden[], { parseSpecial: true });
    });

    it("decodes to the text", () => {
      for (const [text, ids] of cases) {
        const expected = pre === "qwen2" ? text.normalize("NFC") : text;
        expect(fromGguf.decode(ids)).toBe(expected);
        expect(fromJson.decode(ids)).toBe(expected);
      }
    });
  });
});

describe("SentencePiece BPE", () => {
  const { texts, models } = sentencePiece;
  const metadata = (model: typeof models.prefix | (typeof models)["no-prefix"]) =>
    new Map<string, unknown>([
      ["tokenizer.ggml.model", "llama"],
      ["tokenizer.ggml.tokens", model.tokens],
      ["tokenizer.ggml.scores", Float32Array.from(model.scores)],
      ["tokenizer.ggml.token_type", Int32Array.from(model.types)],
      ["tokenizer.ggml.unknown_token_id", 0],
      ["tokenizer.ggml.bos_token_id", 1],
      ["tokenizer.ggml.eos_token_id", 2],
    ]);
  const prefix = tokenizerFromGguf(metadata(models.prefix));
  const noPrefix = tokenizerFromGguf(
    new Map([...metadata(models["no-prefix"]), ["tokenizer.ggml.add_space_prefix", false]]),
  );

  it("encodes as the reference with a space before the text", () => {
    expectIds(prefix, goldens(texts, models.prefix.ids), { addSpecial: false });
  });

  it("encodes as the reference without one", () => {
    expectIds(noPrefix, goldens(texts, models["no-prefix"].ids), { addSpecial: false });
  });

  it("decodes as the reference", () => {
    const decoded = (tokenizer: Tokenizer, ids: readonly number[][]) =>
      ids.map((list) => tokenizer.decode(list));
    expect(decoded(prefix, models.prefix.ids)).toEqual(models.prefix.decoded);
    expect(decoded(noPrefix, models["no-prefix"].ids)).toEqual(models["no-prefix"].decoded);
  });

  it("puts BOS first, and makes special tokens of text only when asked", () => {
    expect(prefix.encode("")).toEqual([1]);
    expect(prefix.encode("</s>").includes(2)).toBe(false);
    expect(prefix.encode("</s>", { parseSpecial: true })).toEqual([1, 2]);
  });

  it("encodes and decodes as the reference from tokenizer.json", () => {
    const golden = models.prefix.json;
    const tokenizer = tokenizerFromJson(golden.tokenizer);
    expectIds(tokenizer, goldens(texts, golden.ids), { parseSpecial: true });
    expectIds(tokenizer, golden.special as unknown as Golden[], { parseSpecial: true });
    const decoded = golden.ids.map((ids) => tokenizer.decode(ids, { skipSpecial: true }));
    expect(decoded).toEqual(golden.decoded);
  });

  it("encodes as the reference with Metaspace", () => {
    const golden = models.prefix.metaspace;
    const tokenizer = tokenizerFromJson({
      ...golden.tokenizer,
      model: models.prefix.json.tokenizer.model,
    });
    expectIds(tokenizer, goldens(texts, golden.ids), { parseSpecial: true });
    expectIds(tokenizer, golden.special as unknown as Golden[], { parseSpecial: true });
  });
});

describe("stages of tokenizer.json", () => {
  it("splits as the reference, by behaviour", () => {
    for (const [text, behavior, invert, pieces] of stages.splits as unknown as Split[])
      expect([behavior, invert, splitBy({ Regex: "-" }, behavior, invert)(text, true)]).toEqual([
        behavior,
        invert,
        pieces,
      ]);
  });

  it("finds added tokens as the reference: trimmed, normalised, the longest", () => {
    const { vocab: _vocab, merges: _merges, ...model } = stages.added.tokenizer.model;
    const tokenizer = tokenizerFromJson({
      ...stages.added.tokenizer,
      model: {
        ...model,
        vocab: Object.fromEntries(byteLevel.tokens.map((token, id) => [token, id])),
        merges: byteLevel.merges,
      },
    });
    expectIds(tokenizer, stages.added.cases as unknown as Golden[]);
  });
});

type Split = readonly [text: string, behavior: SplitBehavior, invert: boolean, pieces: string[]];
