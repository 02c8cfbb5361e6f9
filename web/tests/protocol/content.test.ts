/** Contents, attachments, names, safety numbers. */
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import * as attachment from "../../src/protocol/attachment.ts";
import { concat, toHex } from "../../src/protocol/bytes.ts";
import { decode, encode } from "../../src/protocol/cbor.ts";
import { readContent, sizeOf, writeContent, type Content, type Text } from "../../src/protocol/content.ts";
import { envelopeId } from "../../src/protocol/envelope.ts";
import { cleanFileName, isPlain, readPerson } from "../../src/protocol/names.ts";
import { fingerprint, readSafetyQr, safetyNumber, safetyQr } from "../../src/protocol/safety.ts";
import { hex, refusalOf, refusalOfPromise, seed, seeded, vectors } from "../vectors.ts";

interface Contents {
  contents: { kind: string; payload: string; small: boolean }[];
  cleaned: { payload: string; name: string }[];
  refused: { why: string; code: string; payload: string }[];
}
interface Attachments {
  plans: [number, number, number, number][];
  too_large: number[];
  key: string;
  size: number;
  digest: string;
  chunks: { number: number; id: string; sha256: string }[];
  last: string;
  index: { size: number; ids_sha256: string; chunks: string[] };
  refused: { why: string; number: number; envelope: string }[];
}
interface Safety {
  identities: [string, string];
  fingerprints: [string, string];
  digits: string[];
  code: string;
  matching: string[];
  not_matching: string[];
}
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

describe("content", () => {
  const file = vectors<Contents>("content");

  test.each(file.contents)("$kind", ({ kind, payload, small }) => {
    const content = readContent(hex(payload));
    expect(content.kind).toBe(kind);
    expect(toHex(writeContent(content))).toBe(payload);
    expect(sizeOf(content)).toBe(small ? "small" : "usual");
  });

  test.each(file.cleaned)("a name is cleaned to $name", ({ payload, name }) => {
    expect(readContent(hex(payload))).toMatchObject({ kind: "attachment", name });
  });

  test.each(file.refused)("$code: $why", ({ code, payload }) => {
    expect(refusalOf(() => readContent(hex(payload)))).toBe(code);
  });

  const words = (text: string): Text => ({ v: 1, id: seed("id", 16), kind: "text", sent: 1, text });

  test("what nobody could read is not written", () => {
    expect(refusalOf(() => writeContent(words("\u6c34".repeat(8000))))).toBe("too_large");
    expect(refusalOf(() => writeContent(words("x".repeat(8001))))).toBe("bad_message");
    expect(refusalOf(() => writeContent(words("\ud83d")))).toBe("bad_message");
    expect(refusalOf(() => writeContent({ ...words("x"), timer: 0 }))).toBe("bad_message");
  });

  test("what is left out is not there", () => {
    const payload = writeContent({ ...words("x"), reply: undefined });
    expect(Object.keys(readContent(payload)).sort()).toEqual(["id", "kind", "sent", "text", "v"]);
  });

  test("whatever bytes come, they are a content or a refusal", () => {
    const random = seeded("contents");
    const codes = new Set<string>();
    for (let run = 0; run < 3000; run++) {
      const one = file.contents[run % file.contents.length]!;
      const bytes = hex(one.payload).slice(0, 2000);
      for (let times = 0; times <= run % 3; times++)
        bytes[((random(1)[0]! << 8) | random(1)[0]!) % bytes.length]! ^= 1 << (random(1)[0]! & 7);
      const code = refusalOf(() => {
        const content: Content = readContent(bytes);
        expect(readContent(writeContent(content))).toEqual(content);
      });
      codes.add(code);
    }
    expect([...codes].sort()).toEqual(["bad_message", "none", "unknown_version"]);
  });
});

describe("attachment", () => {
  const file = vectors<Attachments>("attachment");
  const content = seed("attachment", file.size);
  const small = attachment.plan(file.size);
  const key = attachment.importKey(hex(file.key));
  const pieceOf = (number: number) =>
    content.subarray(number * attachment.PIECE, (number + 1) * attachment.PIECE);

  test.each(file.plans)(
    "%i octets are %i pieces in %i chunks and %i of index",
    (size, pieces, count, indexes) => {
      expect(attachment.plan(size)).toEqual({ size, pieces, count, indexes });
    },
  );

  test.each(file.too_large)("%i octets are too many", (size) => {
    expect(refusalOf(() => attachment.plan(size))).toBe("too_large");
  });

  test("chunks of a small file, and the file again", async () => {
    const back: Uint8Array[] = [];
    for (const chunk of file.chunks) {
      const envelope = await attachment.sealChunk(await key, small, chunk.number, pieceOf(chunk.number));
      expect([toHex(envelopeId(envelope)), sha256(envelope)]).toEqual([chunk.id, chunk.sha256]);
      back.push(await attachment.openChunk(await key, small, chunk.number, envelope));
    }
    expect(concat(...back)).toEqual(content);
    const last = await attachment.openChunk(await key, small, small.count - 1, hex(file.last));
    expect(last).toEqual(back.at(-1));
    const digest = attachment.contentDigest();
    for (const piece of back) digest.update(piece);
    expect(toHex(digest.digest())).toBe(file.digest);
  });

  test("index chunks of a large one", async () => {
    const large = attachment.plan(file.index.size);
    const ids = Array.from({ length: large.count }, (_, at) => seed(`large ${at}`, 16));
    expect(sha256(concat(...ids))).toBe(file.index.ids_sha256);
    const pieces = attachment.indexPieces(large, ids);
    const opened: Uint8Array[] = [];
    for (const [at, piece] of pieces.entries()) {
      const envelope = await attachment.sealChunk(await key, large, large.count + at, piece);
      expect(sha256(envelope)).toBe(file.index.chunks[at]);
      opened.push(await attachment.openChunk(await key, large, large.count + at, envelope));
    }
    expect(attachment.readIndex(large, opened)).toEqual(ids);
    expect(attachment.indexPieces(small, [])).toEqual([]);
  });

  test.each(file.refused)("not opened: $why", async ({ number, envelope }) => {
    const opening = attachment.openChunk(await key, small, number, hex(envelope));
    expect(await refusalOfPromise(opening)).toBe("not_opened");
  });
});

describe("safety number", () => {
  const file = vectors<Safety>("safety");
  const [one, other] = file.identities.map(hex) as [Uint8Array, Uint8Array];

  test("the same from both sides", () => {
    expect(safetyNumber(one, other)).toEqual(file.digits);
    expect(safetyNumber(other, one)).toEqual(file.digits);
    expect(safetyQr(other, one)).toBe(file.code);
    expect([one, other].map((identity) => fingerprint(identity).join(" "))).toEqual(file.fingerprints);
  });

  test.each(file.matching)("scanned: %j", (text) => {
    expect(readSafetyQr(text, other, one)).toBe(true);
  });

  test.each(file.not_matching)("not theirs: %j", (text) => {
    expect(readSafetyQr(text, one, other)).toBe(false);
  });
});

describe("names", () => {
  const { addresses } = vectors<{ addresses: { public: string; address: string }[] }>("onion");
  const { address, public: onion } = addresses[0]!;

  test("a person's address", () => {
    const person = { name: "ada", host: address, onion: hex(onion) };
    expect(readPerson(`ada@${address}`)).toEqual(person);
    expect(readPerson(` Ada @ ${address.toUpperCase()}\n`)).toEqual(person);
  });

  test.each([
    "",
    "ada",
    address,
    `@${address}`,
    `-ada@${address}`,
    `ada@${address.slice(1)}`,
    `a@b@${address}`,
  ])("no person: %j", (text) => {
    expect(readPerson(text)).toBeUndefined();
  });

  test.each([
    ["a.txt", "a.txt"],
    ["/etc/passwd", "passwd"],
    ["C:\\x\\y.png", "y.png"],
    ["exe.\u202egnp", "exe.gnp"],
    [" a b \u00a0", "a b"],
    ["..", "file"],
    ["a/", "file"],
    ["\u0000", "file"],
    ["\u{1f44d}".repeat(300), "\u{1f44d}".repeat(255)],
    [`${"x".repeat(300)}.tar`, `${"x".repeat(251)}.tar`],
    [`${"x".repeat(300)}.${"y".repeat(17)}`, "x".repeat(255)],
  ])("%j is shown as %j", (name, clean) => {
    expect(cleanFileName(name)).toBe(clean);
  });

  test("plain names", () => {
    expect(isPlain("\u{1f44d}".repeat(64))).toBe(true);
    expect(isPlain("x".repeat(65))).toBe(false);
    for (const mark of ["\n", "\u202b", "\u2066", "\u0085", "\u2028"])
      expect(isPlain(`a${mark}b`)).toBe(false);
    // Joiners are needed by several scripts and by emoji.
    expect(isPlain("\u{1f469}\u200d\u{1f680}")).toBe(true);
  });
});

test("a list where a map should be, and other strange shapes, are refused", () => {
  for (const strange of [[], "x", 1, null, new Uint8Array(3)])
    expect(refusalOf(() => readContent(encode(strange)))).toBe("bad_message");
  expect(decode(encode([]))).toEqual([]);
});
