/** The safety number: what two people compare to know that nobody stands between them (SPEC.md, "Addresses"). */
import { sha512 } from "@noble/hashes/sha2.js";
import { toBase32 } from "./base32.ts";
import { compare, concat, utf8 } from "./bytes.ts";

const PREFIX = "ISLAND-SAFETY:";
const GROUPS = 6;
const OCTETS = 5;

/** Six groups of five digits for one identity. */
export function fingerprint(identity: Uint8Array): string[] {
  const digest = sha512(concat(utf8("island/v1/fingerprint\0"), identity));
  return Array.from({ length: GROUPS }, (_, at) => {
    // Forty bits fit a number exactly.
    const number = digest.subarray(at * OCTETS, (at + 1) * OCTETS).reduce((sum, byte) => sum * 256 + byte, 0);
    return String(number % 100_000).padStart(5, "0");
  });
}

/** Twelve groups of five digits for two identities, the same on both sides. */
export function safetyNumber(one: Uint8Array, other: Uint8Array): string[] {
  return sorted(one, other).flatMap(fingerprint);
}

/** Both identities as the text of a QR code, the same on both sides. */
export function safetyQr(one: Uint8Array, other: Uint8Array): string {
  return PREFIX + toBase32(concat(...sorted(one, other))).toUpperCase();
}

/** Whether a scanned text is the code of these two identities. */
export function readSafetyQr(scanned: string, one: Uint8Array, other: Uint8Array): boolean {
  return scanned.replace(/\s+/g, "").toUpperCase() === safetyQr(one, other);
}

function sorted(one: Uint8Array, other: Uint8Array): Uint8Array[] {
  return [one, other].sort(compare);
}
