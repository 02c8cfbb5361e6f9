import { expect, test } from "vitest";
import { fromBase64url, toBase64url } from "../../src/protocol/base64url.ts";
import { vectors } from "../vectors.ts";

const { refused_base64url } = vectors<{ refused_base64url: string[] }>("codec");

test.each(refused_base64url)("refused: %j", (text) => {
  expect(fromBase64url(text)).toBeUndefined();
});

test("bytes of every length come back", () => {
  for (let length = 0; length < 70; length++) {
    const bytes = Uint8Array.from({ length }, (_, at) => (at * 89 + length) & 255);
    const text = toBase64url(bytes);
    expect(text).toBe(Buffer.from(bytes).toString("base64url"));
    expect(fromBase64url(text)).toEqual(bytes);
  }
});
