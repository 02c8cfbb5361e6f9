import { describe, expect, test } from "vitest";
import { groups, looksLikeAddress, publicKey, readAddress, shortAddress } from "../../src/protocol/onion.ts";
import { hex, vectors } from "../vectors.ts";

interface Onions {
  addresses: { public: string; address: string }[];
  upper_case: { address: string; public: string };
  refused: { why: string; address: string }[];
}
const onions = vectors<Onions>("onion");

describe("addresses of the shared vectors", () => {
  test.each(onions.addresses)("$address", (one) => {
    expect(publicKey(one.address)).toEqual(hex(one.public));
    expect(readAddress(one.address)).toBe(one.address);
  });

  test("upper case is the same address", () => {
    const { address } = onions.upper_case;
    expect(readAddress(address)).toBe(address.toLowerCase());
  });

  // Whether the key is a point of the curve is for the box to check.
  test.each(onions.refused.filter((one) => !one.why.includes("point")))("refused: $why", ({ address }) => {
    expect(publicKey(address)).toBeUndefined();
  });
});

test("one wrong letter anywhere is noticed", () => {
  const { address } = onions.addresses[0]!;
  for (let at = 0; at < 56; at++) {
    const wrong = address[at] === "a" ? "b" : "a";
    expect(readAddress(address.slice(0, at) + wrong + address.slice(at + 1))).toBeUndefined();
  }
});

test("what people paste around an address does not matter", () => {
  const { address } = onions.addresses[0]!;
  expect(readAddress(`  http://${address}/ \n`)).toBe(address);
  expect(readAddress(`${address.slice(0, 20)} ${address.slice(20)}`)).toBe(address);
});

test("a short address is told from other text", () => {
  expect(looksLikeAddress(onions.addresses[0]!.address.slice(3))).toBe(true);
  expect(looksLikeAddress("Marta")).toBe(false);
});

test("short and grouped forms", () => {
  const { address } = onions.addresses[0]!;
  expect(shortAddress(address)).toBe(`${address.slice(0, 8)}…${address.slice(48, 56)}`);
  expect(groups(address)).toHaveLength(7);
  expect(groups(address).join("")).toBe(address.slice(0, 56));
});
