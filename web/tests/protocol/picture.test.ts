/** Pictures of people: the vectors, and that nothing but the picture is left. */
import { expect, test } from "vitest";
import { toHex } from "../../src/protocol/bytes.ts";
import { readPicture, stripped } from "../../src/protocol/picture.ts";
import { hex, refusalOf, seeded, vectors } from "../vectors.ts";

const file = vectors<{
  pictures: { why: string; picture: string; size: [number, number] }[];
  files: { why: string; file: string; bare: string }[];
  refused: { why: string; code: string; picture: string }[];
  broken: { why: string; file: string }[];
}>("picture");

test.each(file.pictures)("may travel: $why", ({ picture, size: [width, height] }) => {
  expect(readPicture(hex(picture))).toEqual({ width, height });
  expect(toHex(stripped(hex(picture)))).toBe(picture);
});

test.each(file.files)("stripped: $why", ({ file, bare }) => {
  expect(toHex(stripped(hex(file)))).toBe(bare);
});

test.each(file.refused)("$code: $why", ({ code, picture }) => {
  expect(refusalOf(() => readPicture(hex(picture)))).toBe(code);
});

test.each(file.broken)("no JPEG: $why", ({ file }) => {
  for (const read of [readPicture, stripped]) expect(refusalOf(() => read(hex(file)))).toBe("malformed");
});

test("whatever bytes come, they are stripped once or refused", () => {
  const random = seeded("pictures");
  const below = (most: number): number => ((random(1)[0]! << 8) | random(1)[0]!) % most;
  const files = [...file.pictures.map(({ picture }) => picture), ...file.files.map(({ file }) => file)];
  const codes = new Set<string>();
  for (let run = 0; run < 3000; run++) {
    const bytes = [...hex(files[run % files.length]!)];
    for (let times = below(3); times >= 0; times--)
      bytes.splice(below(Math.min(bytes.length, 600)), below(3), ...random(below(3)));
    codes.add(
      refusalOf(() => {
        const bare = stripped(Uint8Array.from(bytes));
        expect(stripped(bare)).toEqual(bare);
      }),
    );
  }
  expect([...codes].sort()).toEqual(["malformed", "none"]);
});
