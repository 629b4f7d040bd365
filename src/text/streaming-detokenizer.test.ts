import { describe, expect, it } from "vitest";
import { StreamingDetokenizer } from "./streaming-detokenizer.ts";

/** Tokens given by their bytes; the last is a control token. */
const tokens = (list: readonly (readonly number[])[], stripsLeadingSpace = false) => ({
  stripsLeadingSpace,
  tokenBytes: (id: number) => Uint8Array.from(list[id]!),
  isSpecial: (id: number) => id === list.length - 1,
});
const EOT = [...new TextEncoder().encode("<eot>")];

describe("StreamingDetokenizer", () => {
  it("holds an unfinished character back until its last byte", () => {
    const stream = new StreamingDetokenizer(tokens([[0xf0, 0x9f], [0x98], [0x80, 0x21], EOT]));
    expect([0, 1, 2].map((id) => stream.push(id))).toEqual(["", "", "😀!"]);
    expect(stream.flush()).toBe("");
  });

  it("turns bytes that are no UTF-8 into U+FFFD, at the end too", () => {
    const stream = new StreamingDetokenizer(tokens([[0xff], [0x41], [0xe4, 0xb8], EOT]));
    expect([0, 1, 2].map((id) => stream.push(id))).toEqual(["\ufffd", "A", ""]);
    expect(stream.flush()).toBe("\ufffd");
    expect(stream.push(1)).toBe("A");
  });

  it("keeps U+FEFF", () => {
    const stream = new StreamingDetokenizer(tokens([[0xef, 0xbb, 0xbf], EOT]));
    expect(stream.push(0) + stream.push(0) + stream.flush()).toBe("\ufeff\ufeff");
  });

  it("writes control tokens out, or leaves them out", () => {
    const list = tokens([[0x41], [0xe4], EOT]);
    const all = new StreamingDetokenizer(list);
    expect([0, 1, 2].map((id) => all.push(id))).toEqual(["A", "", "\ufffd<eot>"]);
    const some = new StreamingDetokenizer(list, { skipSpecial: true });
    expect([0, 2, 0].map((id) => some.push(id))).toEqual(["A", "", "A"]);
  });

  it("takes away the space that encoding put before the text, once", () => {
    const list = tokens([[0x20, 0x41], [], [0x20], EOT], true);
    const fresh = new StreamingDetokenizer(list, { skipSpecial: true });
    expect([3, 1, 0, 0].map((id) => fresh.push(id))).toEqual(["", "", "A", " A"]);
    const spaces = new StreamingDetokenizer(list);
    expect([2, 2, 0].map((id) => spaces.push(id))).toEqual(["", " ", " A"]);
    const continued = new StreamingDetokenizer(list, { continues: true });
    expect(continued.push(0)).toBe(" A");
  });
});
