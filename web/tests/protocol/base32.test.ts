import { expect, test } from "vitest";
import { fromBase32, toBase32 } from "../../src/protocol/base32.ts";

test("the examples of RFC 4648, without padding", () => {
  const encoded = ["", "my", "mzxq", "mzxw6", "mzxw6yq", "mzxw6ytb", "mzxw6ytboi"];
  encoded.forEach((text, length) => {
    const bytes = new TextEncoder().encode("foobar".slice(0, length));
    expect(toBase32(bytes)).toBe(text);
    expect(fromBase32(text)).toEqual(bytes);
    expect(fromBase32(text.toUpperCase())).toEqual(bytes);
  });
});

test.each(["a", "abc", "abcdef", "mz", "m1", "my======", "é2"])("refused: %s", (text) => {
  expect(fromBase32(text)).toBeUndefined();
});
