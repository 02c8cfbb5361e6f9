import { expect, test } from "vitest";
import { isReaderKey, isSafetyQr, recognise } from "../../src/protocol/recognise.ts";
import { vectors } from "../vectors.ts";

const address = vectors<{ addresses: { address: string }[] }>("onion").addresses[1]!.address;
const secret = "a".repeat(51) + "q";

test("an address, in whatever case", () => {
  expect(recognise(` ${address.toUpperCase()}\n`)).toEqual({ kind: "address", address });
});

test("an invitation is its address and a secret of 32 bytes", () => {
  const code = `${address}/${secret}`;
  expect(recognise(code.toUpperCase())).toEqual({ kind: "invitation", address, code });
  expect(recognise(`${address}/${secret.slice(1)}`).kind).toBe("mistyped");
  expect(recognise(`x${code.slice(1)}`).kind).toBe("mistyped");
});

test.each([
  ["", "empty"],
  ["  \n", "empty"],
  ["Marta", "unknown"],
  [address.slice(1), "mistyped"],
  [`${address.slice(0, 10)}9${address.slice(11)}`, "mistyped"],
  ["one/two", "unknown"],
  ["https://example.org/page", "unknown"],
])("%j is %s", (text, kind) => {
  expect(recognise(text).kind).toBe(kind);
});

test("a safety code has two identities", () => {
  expect(isSafetyQr(`ISLAND-SAFETY:${"A".repeat(102)}Q`)).toBe(true);
  expect(isSafetyQr(`island-safety:${"a".repeat(102)}q`)).toBe(true);
  expect(isSafetyQr(`ISLAND-SAFETY:${"A".repeat(52)}`)).toBe(false);
  expect(isSafetyQr("A".repeat(103))).toBe(false);
});

test("a reader's key has 52 letters", () => {
  expect(isReaderKey(secret)).toBe(true);
  expect(isReaderKey(secret.slice(1))).toBe(false);
  expect(isReaderKey("1".repeat(52))).toBe(false);
});
