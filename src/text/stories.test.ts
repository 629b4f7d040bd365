import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import tokenizerJson from "../../tests/fixtures/stories-14m/tokenizer.json" with { type: "json" };
import { TetradError } from "../errors.ts";
import { ggufMetadata } from "../../tests/support/gguf-metadata.ts";
import { byteAlphabet } from "./byte-alphabet.ts";
import { tokenizerFromGguf } from "./gguf-tokenizer.ts";
import { tokenizerFromJson } from "./json-tokenizer.ts";
import { StreamingDetokenizer } from "./streaming-detokenizer.ts";
import { TokenKind, turnEnds } from "./token-table.ts";

const MODEL = new URL("../../models/stories-14m/", import.meta.url);
const metadata = ggufMetadata(readFileSync(new URL("stories-14m-q4_0.gguf", MODEL)));
const reference = JSON.parse(readFileSync(new URL("reference.json", MODEL), "utf8")) as {
  cases: {
    prompt: string;
    prompt_tokens: number[];
    greedy_tokens: number[];
    greedy_text: string;
  }[];
};
const fromGguf = tokenizerFromGguf(metadata);
const fromJson = tokenizerFromJson(tokenizerJson, {
  bos_token: "<|begin_of_text|>",
  eos_token: { content: "<|endoftext|>" },
  add_bos_token: true,
});

const NASTY = [
  "",
  " ",
  "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽",
  "e\u0301 n\u0303 \u0301",
  "a\r\nb\r\n\r\n",
  "\t\tx\t y",
  "a".padEnd(300) + "b",
  "1234567890 3.14 ٣٤٥",
  "don't DON'T I'LL we've 'Sure",
  "中文字符，日本語。한국어",
  "مرحبا بالعالم",
  "nul\0byte \u0001\u007f",
  "lone \ud800 and \udc00x \udfff\ud800",
  "\ufeffbom \u0085nel \u2028ls \u00a0nbsp \u3000ideographic",
  "x".repeat(5000),
  "<|eot_id|><|begin_of_text|> <|endoftext|>",
  "<|eot_id",
  "__proto__ constructor toString",
];
const anyText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: "grapheme" }),
  fc.string({ unit: fc.constantFrom(" ", "\n", "\r", "a", "B", "1", "'s", "'LL", "é", "😀", "!") }),
);

describe("the embedded model's tokenizer", () => {
  it.each(reference.cases)("encodes the reference's prompt $prompt", (example) => {
    expect(fromGguf.encode(example.prompt)).toEqual(example.prompt_tokens);
    expect(fromJson.encode(example.prompt)).toEqual(example.prompt_tokens);
    expect(fromGguf.decode(example.greedy_tokens)).toBe(example.greedy_text);
  });

  it("knows its special tokens", () => {
    for (const tokenizer of [fromGguf, fromJson]) {
      expect(tokenizer.vocabularySize).toBe(4096);
      expect(tokenizer.bosId).toBe(4089);
      expect(tokenizer.eosId).toBe(4088);
      expect([...tokenizer.endIds].sort((a, b) => a - b)).toEqual([4088, 4092]);
      expect(tokenizer.isSpecial(4092)).toBe(true);
      expect(tokenizer.isSpecial(100)).toBe(false);
      expect(tokenizer.idOf("<|eot_id|>")).toBe(4092);
      expect(tokenizer.idOf("no such token")).toBe(undefined);
      expect(tokenizer.chatTemplate).toBe(undefined);
    }
  });

  it("reads the same from GGUF and from tokenizer.json", () => {
    for (const text of NASTY)
      for (const parseSpecial of [false, true]) {
        const ids = fromGguf.encode(text, { parseSpecial });
        expect(fromJson.encode(text, { parseSpecial })).toEqual(ids);
        expect(fromJson.decode(ids)).toBe(fromGguf.decode(ids));
      }
    fc.assert(
      fc.property(anyText, (text) => {
        expect(fromJson.encode(text)).toEqual(fromGguf.encode(text));
      }),
    );
  });

  it("treats turn markers as control tokens even where the file calls them ordinary", () => {
    const ordinary = tokenizerFromGguf(
      new Map([
        ...metadata,
        ["tokenizer.ggml.token_type", Int32Array.from({ length: 4096 }, () => 1)],
      ]),
    );
    expect(ordinary.isSpecial(4092)).toBe(true);
    expect(ordinary.endIds.has(4092)).toBe(true);
    expect(ordinary.isSpecial(4093)).toBe(false);
  });

  it("does not end a turn at <|end|> where <|return|> does", () => {
    const kinds = Uint8Array.of(TokenKind.control, TokenKind.control, TokenKind.normal);
    expect([...turnEnds({ texts: ["<|end|>", "<|return|>", "</s>"], kinds }, [])]).toEqual([1]);
    expect([...turnEnds({ texts: ["<|end|>", "x", "</s>"], kinds }, [2])]).toEqual([2, 0]);
  });

  it("makes special tokens of their text only when asked", () => {
    const ids = fromGguf.encode("hi<|eot_id|>");
    expect(ids.slice(1).some((id) => fromGguf.isSpecial(id))).toBe(false);
    expect(fromGguf.decode(ids, { skipSpecial: true })).toBe("hi<|eot_id|>");
    expect(fromGguf.encode("hi<|eot_id|>", { parseSpecial: true }).at(-1)).toBe(4092);
    expect(fromGguf.decode([4089, 64, 4092])).toBe("<|begin_of_text|>a<|eot_id|>");
    expect(fromGguf.decode([4089, 64, 4092], { skipSpecial: true })).toBe("a");
  });

  it("guards special text by a character that leaves no trace", () => {
    const guarded = { parseSpecial: true, guard: "\u{10fffd}" };
    expect(fromGguf.encode("hi<\u{10fffd}|eot_id|>", guarded)).toEqual(
      fromGguf.encode("hi<|eot_id|>"),
    );
  });

  it("spells every token by itself: taking pieces whole changes nothing here", () => {
    const withoutWhole = tokenizerFromGguf(new Map([...metadata, ["tokenizer.ggml.pre", "dbrx"]]));
    const { bytes } = byteAlphabet();
    (metadata.get("tokenizer.ggml.tokens") as string[]).slice(0, 4088).forEach((token, id) => {
      expect([...fromGguf.tokenBytes(id)]).toEqual(Array.from(token, (c) => bytes.get(c)));
      const text = fromGguf.decode([id]);
      if (text.includes("\ufffd")) return;
      expect(withoutWhole.encode(text, { addSpecial: false })).toEqual(
        fromGguf.encode(text, { addSpecial: false }),
      );
    });
  });
});

describe("round trips", () => {
  it("decodes what it encoded, whole and token by token", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const expected = text.replace(/\p{Surrogate}/gu, "\ufffd");
        const ids = fromGguf.encode(text, { addSpecial: false });
        expect(fromGguf.decode(ids)).toBe(expected);
        const detokenizer = new StreamingDetokenizer(fromGguf);
        const pieces = [...ids.map((id) => detokenizer.push(id)), detokenizer.flush()];
        expect(pieces.join("")).toBe(expected);
        // A piece never ends within a surrogate pair or a character.
        for (const piece of pieces) expect(/\p{Surrogate}/u.test(piece)).toBe(false);
        if (!expected.includes("\ufffd")) expect(pieces.join("|").includes("\ufffd")).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  it("gets through long text without spaces, and long runs of spaces", () => {
    // A quadratic merge would take hours, so that finishing at all is the assertion.
    for (const text of ["a".repeat(200_000), "qwertyzuiop".repeat(20_000), " ".repeat(200_000)])
      expect(fromGguf.decode(fromGguf.encode(text, { addSpecial: false }))).toBe(text);
  });
});

describe("malformed metadata", () => {
  const broken = (key: string, value: unknown) => () =>
    tokenizerFromGguf(new Map([...metadata, [`tokenizer.ggml.${key}`, value]]));

  it.each([
    ["model", 7, "FormatError"],
    ["model", undefined, "FormatError"],
    ["model", "bert", "UnsupportedError"],
    ["pre", "no-such-pre", "UnsupportedError"],
    ["tokens", [], "FormatError"],
    ["tokens", ["a", 1], "FormatError"],
    ["tokens", undefined, "FormatError"],
    ["token_type", [1, 2, 3], "FormatError"],
    ["token_type", Array.from({ length: 4096 }, () => 9), "FormatError"],
    ["token_type", "x", "FormatError"],
    ["merges", undefined, "FormatError"],
    ["merges", ["ab"], "FormatError"],
    ["merges", ["a "], "FormatError"],
    ["merges", ["no-such token"], "FormatError"],
    ["merges", [3], "FormatError"],
    ["bos_token_id", 4096, "FormatError"],
    ["eos_token_id", -1, "FormatError"],
    ["eot_token_id", 1.5, "FormatError"],
    ["padding_token_id", "4", "FormatError"],
    ["add_bos_token", 1, "FormatError"],
  ])("rejects %s = %j with %s", (key, value, name) => {
    expect(broken(key, value)).toThrow(expect.objectContaining({ name }));
  });

  it("ends in a tokenizer or in an error of ours, whatever a value is", () => {
    const keys = [...metadata.keys()].filter((key) => key.startsWith("tokenizer."));
    const small = new Map([
      ...metadata,
      ["tokenizer.ggml.tokens", ["a", "b", "ab", "<|eot_id|>"]],
      ["tokenizer.ggml.token_type", [1, 1, 1, 3]],
      ["tokenizer.ggml.merges", ["a b"]],
      ["tokenizer.ggml.bos_token_id", 3],
      ["tokenizer.ggml.eos_token_id", 3],
      ["tokenizer.ggml.scores", [0, 1, 2, 3]],
    ]);
    const value = fc.oneof(
      fc.anything(),
      fc.constantFrom("llama", "gpt2"),
      fc.array(fc.constantFrom("a", "b", "ab", "a b", " a", ""), { maxLength: 5 }),
      fc.array(fc.integer({ min: -1, max: 7 }), { maxLength: 5 }),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...keys, "tokenizer.ggml.scores"),
        value,
        anyText,
        (key, v, text) => {
          try {
            const tokenizer = tokenizerFromGguf(new Map([...small, [key, v]]));
            tokenizer.decode(tokenizer.encode(text));
          } catch (error) {
            expect(error).toBeInstanceOf(TetradError);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });

  it("needs scores and byte tokens for SentencePiece", () => {
    const llama = new Map<string, unknown>([
      ["tokenizer.ggml.model", "llama"],
      ["tokenizer.ggml.tokens", ["<unk>", "a"]],
    ]);
    expect(() => tokenizerFromGguf(llama)).toThrow("scores is missing");
    llama.set("tokenizer.ggml.scores", [0, Number.NaN]);
    expect(() => tokenizerFromGguf(llama)).toThrow("scores[1] is NaN");
    llama
      .set("tokenizer.ggml.scores", [0, 1])
      .set("tokenizer.ggml.token_type", [2, TokenKind.byte]);
    expect(() => tokenizerFromGguf(llama)).toThrow("expected <0x00> to <0xFF>");
  });

  it("rejects ids that are no tokens", () => {
    for (const id of [-1, 4096, 0.5, Number.NaN])
      expect(() => fromGguf.decode([id])).toThrow("is not a token id");
  });
});

describe("malformed tokenizer.json", () => {
  const { model } = tokenizerJson;
  it.each<[string, unknown, string]>([
    ["no object", [], "FormatError"],
    ["no model", {}, "FormatError"],
    ["a Unigram model", { model: { type: "Unigram", vocab: [["a", 0]] } }, "UnsupportedError"],
    ["an id twice", { model: { ...model, vocab: { a: 0, b: 0 }, merges: [] } }, "FormatError"],
    ["a huge id", { model: { ...model, vocab: { a: 2 ** 31 }, merges: [] } }, "FormatError"],
    ["a bad merge", { model: { ...model, merges: [["a"]] } }, "FormatError"],
    ["an unknown normalizer", { ...tokenizerJson, normalizer: { type: "X" } }, "UnsupportedError"],
    [
      "an unknown pre-tokenizer",
      { ...tokenizerJson, pre_tokenizer: { type: "X" } },
      "UnsupportedError",
    ],
    ["an unknown decoder", { ...tokenizerJson, decoder: { type: "X" } }, "UnsupportedError"],
    [
      "an unknown post-processor",
      { ...tokenizerJson, post_processor: { type: "X" } },
      "UnsupportedError",
    ],
    [
      "a bad pattern",
      {
        ...tokenizerJson,
        pre_tokenizer: {
          type: "Sequence",
          pretokenizers: [
            { type: "Split", pattern: { Regex: "[a" }, behavior: "Isolated" },
            { type: "ByteLevel" },
          ],
        },
      },
      "UnsupportedError",
    ],
  ])("rejects %s", (_, json, name) => {
    expect(() => tokenizerFromJson(json)).toThrow(expect.objectContaining({ name }));
  });
});
