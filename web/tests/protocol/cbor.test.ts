import { decode as decodeOther, encode as encodeOther } from "cborg";
import { describe, expect, test } from "vitest";
import { decode, encode, type Value } from "../../src/protocol/cbor.ts";
import { hex, refusalOf, seeded, vectors } from "../vectors.ts";

interface Codec {
  values: { value: unknown; cbor: string }[];
  deepest: string;
  refused: { why: string; cbor: string }[];
  messages: { type: string; cbor: string }[];
}
const codec = vectors<Codec>("codec");

/** Values as the vectors spell them in JSON: bytes, large integers and maps are marked. */
function spelled(value: unknown): Value {
  if (Array.isArray(value)) return value.map(spelled);
  if (typeof value !== "object" || value === null) return value as Value;
  const marked = value as { int?: string; bytes?: string; map?: [string, unknown][] };
  if (marked.int !== undefined) return BigInt(marked.int);
  if (marked.bytes !== undefined) return hex(marked.bytes);
  return Object.fromEntries(marked.map!.map(([key, entry]) => [key, spelled(entry)]));
}

test.each(codec.values)("$cbor", ({ value, cbor }) => {
  expect(encode(spelled(value))).toEqual(hex(cbor));
  expect(decode(hex(cbor))).toEqual(spelled(value));
});

test.each(codec.refused)("refused: $why", ({ cbor }) => {
  expect(refusalOf(() => decode(hex(cbor)))).toBe("malformed");
});

test.each(codec.messages)("$type comes back as the same bytes", ({ cbor }) => {
  expect(encode(decode(hex(cbor)))).toEqual(hex(cbor));
});

test("sixteen lists inside one another, and no more", () => {
  expect(encode(decode(hex(codec.deepest)))).toEqual(hex(codec.deepest));
  expect(refusalOf(() => decode(hex(`81${codec.deepest}`)))).toBe("malformed");
});

test("no more values than 65,536", () => {
  const of = (count: number) => encode(Array.from({ length: count }, () => 0));
  expect((decode(of(65_535)) as Value[]).length).toBe(65_535);
  expect(refusalOf(() => decode(of(65_536)))).toBe("malformed");
});

test.each([1.5, NaN, Infinity, 2 ** 53, 2n ** 64n, "\ud800", undefined, () => 1, [undefined], Symbol("x")])(
  "no place in a message: %s",
  (value) => {
    expect(() => encode(value)).toThrow(TypeError);
  },
);

test("a key named as the prototype is a key like others", () => {
  const bytes = hex("a1695f5f70726f746f5f5f01");
  const value = decode(bytes);
  expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
  expect(Object.keys(value as object)).toEqual(["__proto__"]);
  expect(encode(value)).toEqual(bytes);
});

test("the order of keys is the same whoever made the map, however many kinds of maps there were", () => {
  expect(encode({ bb: 1, a: 2, b: 3 })).toEqual(encode({ b: 3, bb: 1, a: 2 }));
  expect(encode({ "a\0b": 1 })).not.toEqual(encode({ a: 1, b: 1 }));
  expect(encode({ "": 1 })).not.toEqual(encode({}));
  for (let kind = 0; kind < 600; kind++) {
    const [map, other] = [
      { [`z${kind}`]: 1, a: 2 },
      { a: 2, [`z${kind}`]: 1 },
    ];
    expect(encode(map)).toEqual(encode(other));
    expect(encode({ a: 2, [`z${kind}`]: undefined })).toEqual(encode({ a: 2 }));
  }
});

test("what is read does not hang on the input", () => {
  const input = hex("420102");
  const value = decode(input) as Uint8Array;
  input.fill(0);
  expect(value).toEqual(hex("0102"));
});

describe("against an independent implementation", () => {
  const random = seeded("cbor");
  const below = (most: number) => ((random(1)[0]! << 8) | random(1)[0]!) % most;

  function value(depth: number): Value {
    const kind = below(depth > 3 ? 6 : 8);
    if (kind === 0) return below(300);
    if (kind === 1) return -1 - below(70_000);
    if (kind === 2)
      return BigInt.asUintN(64, BigInt(`0x${Buffer.from(random(8)).toString("hex")}`)) | (1n << 60n);
    if (kind === 3) return random(below(40));
    if (kind === 4) return String.fromCodePoint(...random(below(30)).map((byte) => byte * 5 + 1));
    if (kind === 5) return [true, false, null][below(3)]!;
    if (kind === 6) return Array.from({ length: below(6) }, () => value(depth + 1));
    return Object.fromEntries(
      Array.from({ length: below(6) }, () => [String.fromCodePoint(...random(below(5))), value(depth + 1)]),
    );
  }

  test("what is written, it reads alike", () => {
    for (let run = 0; run < 500; run++) {
      const one = value(0);
      const bytes = encode(one);
      expect(decodeOther(bytes, { strict: true, rejectDuplicateMapKeys: true })).toEqual(one);
      expect(decode(bytes)).toEqual(one);
    }
  });

  test("what is read is what both write again", () => {
    let read = 0;
    for (let run = 0; run < 4_000; run++) {
      const bytes = encode(value(0)).slice();
      if (bytes.length > 200) continue;
      for (let times = 0; times <= below(2); times++) bytes[below(bytes.length)]! ^= 1 << below(8);
      const code = refusalOf(() => {
        const again = decode(bytes);
        expect(encode(again)).toEqual(bytes);
        expect(new Uint8Array(encodeOther(again))).toEqual(bytes);
      });
      expect(["none", "malformed"]).toContain(code);
      read += code === "none" ? 1 : 0;
    }
    expect(read).toBeGreaterThan(200);
  });
});
