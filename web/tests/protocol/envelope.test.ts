import { expect, test } from "vitest";
import { SIZES, check, envelopeId, pad, padme, sizeFor, unpad } from "../../src/protocol/envelope.ts";
import { hex, refusalOf, vectors } from "../vectors.ts";

interface Envelopes {
  sizes: number[];
  ids: { envelope: string; id: string }[];
  padding: { content: string; size: number; padded: string }[];
  refused_padding: string[];
  refused: { code: string; envelope: string }[];
}
const envelopes = vectors<Envelopes>("envelope");

test("sizes", () => {
  expect(SIZES).toEqual(envelopes.sizes);
});

test.each(envelopes.ids)("id $id", ({ envelope, id }) => {
  check(hex(envelope));
  expect(envelopeId(hex(envelope))).toEqual(hex(id));
});

test.each(envelopes.refused)("$code", ({ code, envelope }) => {
  expect(refusalOf(() => check(hex(envelope)))).toBe(code);
});

test.each(envelopes.padding)("padded: $padded", ({ content, size, padded }) => {
  expect(pad(hex(content), size)).toEqual(hex(padded));
  expect(unpad(hex(padded))).toEqual(hex(content));
  expect(refusalOf(() => pad(hex(content), content.length / 2))).toBe("wrong_size");
});

test.each(envelopes.refused_padding)("no padding: %j", (padded) => {
  expect(refusalOf(() => unpad(hex(padded)))).toBe("malformed");
});

test("the smallest size that holds content, padding and overhead", () => {
  expect(sizeFor(838, 121)).toBe(960);
  expect(sizeFor(839, 121)).toBe(1984);
  expect(sizeFor(10, 121, 4032)).toBe(4032);
  expect(sizeFor(16_198, 121)).toBe(16_320);
  expect(refusalOf(() => sizeFor(16_199, 121))).toBe("wrong_size");
});

test("Padmé tells the magnitude and at most an eighth more", () => {
  const first = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 10, 12, 12, 14, 14, 16, 16, 18, 18];
  expect(first.map((_, count) => padme(count))).toEqual(first);
  for (let count = 2; count < 5_000_000; count = Math.ceil(count * 1.07)) {
    const rounded = padme(count);
    expect(rounded).toBeGreaterThanOrEqual(count);
    expect(rounded).toBeLessThanOrEqual(count * 1.125);
    expect(padme(rounded)).toBe(rounded);
  }
});
