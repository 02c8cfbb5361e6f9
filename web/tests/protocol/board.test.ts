/** Boards: what the other implementation signed is read and written alike. */
import { describe, expect, test } from "vitest";
import { digestSigned, readSigned, writeSigned } from "../../src/protocol/board.ts";
import { toHex } from "../../src/protocol/bytes.ts";
import { hex, refusalOf, vectors } from "../vectors.ts";

interface Boards {
  identity_seed: string;
  box_seed: string;
  values: { kind: string; vouched: boolean; signed: string; digest: string }[];
  refused: { why: string; code: string; signed: string }[];
}

const file = vectors<Boards>("board");

describe("signed values", () => {
  test.each(file.values.map((one, at) => [at, one] as const))("%i", (_, one) => {
    const signed = hex(one.signed);
    const { value, vouched } = readSigned(signed);
    expect([value.kind, vouched]).toEqual([one.kind, one.vouched]);
    const seed = hex(one.vouched ? file.box_seed : file.identity_seed);
    expect(toHex(writeSigned(seed, value))).toBe(one.signed);
    expect(toHex(digestSigned(signed))).toBe(one.digest);
  });

  test.each(file.refused)("refused: $why", (one) => {
    expect(refusalOf(() => readSigned(hex(one.signed)))).toBe(one.code);
  });
});
