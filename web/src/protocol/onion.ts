/** Onion addresses, version 3: 32 bytes of public key, a checksum of two, and the version. */
import { sha3_256 } from "@noble/hashes/sha3.js";
import { fromBase32, toBase32 } from "./base32.ts";

const VERSION = 3;
const PREFIX = new TextEncoder().encode(".onion checksum");
const SHAPE = /^[a-z2-7]{56}\.onion$/;

/** The address in its one spelling; undefined when it is none or has a typing error in it. */
export function readAddress(text: string): string | undefined {
  const address = cleaned(text);
  return publicKey(address) ? address : undefined;
}

/** The public key inside an address; undefined when length, checksum or version is wrong. */
export function publicKey(address: string): Uint8Array | undefined {
  if (!SHAPE.test(address)) return undefined;
  const bytes = fromBase32(address.slice(0, 56));
  if (!bytes || bytes[34] !== VERSION) return undefined;
  const key = bytes.slice(0, 32);
  const sum = checksum(key);
  return sum[0] === bytes[32] && sum[1] === bytes[33] ? key : undefined;
}

/** The address of a public key. */
export function address(key: Uint8Array): string {
  return `${toBase32(new Uint8Array([...key, ...checksum(key), VERSION]))}.onion`;
}

/** Whether text has the shape of an onion address, right or mistyped. */
export function looksLikeAddress(text: string): boolean {
  return /^[a-z0-9]{40,60}(\.onion)?$/.test(cleaned(text));
}

/** The first and last letters: enough to tell two addresses apart at a glance, not to verify one. */
export function shortAddress(address: string): string {
  const name = address.replace(/\.onion$/, "");
  return `${name.slice(0, 8)}…${name.slice(-8)}`;
}

/** The address in groups of eight letters, to read aloud or compare. */
export function groups(address: string): string[] {
  return address.replace(/\.onion$/, "").match(/.{1,8}/g) ?? [];
}

function checksum(key: Uint8Array): Uint8Array {
  return sha3_256(new Uint8Array([...PREFIX, ...key, VERSION])).slice(0, 2);
}

function cleaned(text: string): string {
  return text
    .trim()
    .toLowerCase()
    .replace(/^https?:\/\//, "")
    .replace(/\/+$/, "")
    .replace(/\s+/g, "");
}
