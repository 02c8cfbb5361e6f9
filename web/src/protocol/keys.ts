/** Keys: signing (Ed25519), agreement (X25519, ML-KEM-768) and derivation (HKDF-SHA-256). SPEC.md, "Signatures". */
import { ed25519, x25519 } from "@noble/curves/ed25519.js";
import { hkdf as hkdf256 } from "@noble/hashes/hkdf.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { ml_kem768 } from "@noble/post-quantum/ml-kem.js";
import { concat, toHex, utf8 } from "./bytes.ts";
import { Refusal } from "./refusal.ts";

/** Fresh random bytes; given by the caller. */
export type Random = (octets: number) => Uint8Array;

export const SIGNATURE_SIZE = 64;
export const KEM_SEED_SIZE = 64;
export const KEM_PUBLIC_SIZE = 1184;
export const KEM_CIPHERTEXT_SIZE = 1088;

const KNOWN_KEYS = 4096;
const KEM_MODULUS = 3329;
const KEM_COEFFICIENTS = 1152;
const EMPTY = new Uint8Array();

/** "island/v1/" ‖ name ‖ 0: what a signature, a derivation or associated data is for. */
export function domain(name: string): Uint8Array {
  return utf8(`island/v1/${name}\0`);
}

/** The Ed25519 public key of a 32-byte seed. */
export function signingPublic(seed: Uint8Array): Uint8Array {
  return ed25519.getPublicKey(seed);
}

/** The 64-byte signature over `message` in this context. */
export function sign(seed: Uint8Array, context: string, message: Uint8Array): Uint8Array {
  return ed25519.sign(concat(domain(context), message), seed);
}

/** Accept a signature strictly, as the box does; Refusal signature. */
export function verify(key: Uint8Array, signature: Uint8Array, context: string, message: Uint8Array): void {
  verifyPlain(key, signature, concat(domain(context), message));
}

/** The same without a context: only for the notes of a log, whose text names what it is. */
export function verifyPlain(key: Uint8Array, signature: Uint8Array, message: Uint8Array): void {
  if (signature.length !== SIGNATURE_SIZE || !isPrimeOrder(key)) throw new Refusal("signature");
  // The library's equation is multiplied by eight: R must be of prime order too, or others would refuse it.
  if (!isPoint(signature.subarray(0, 32))) throw new Refusal("signature");
  let good = false;
  try {
    good = ed25519.verify(signature, message, key, { zip215: false });
  } catch {
    // Refused below: what cannot be read as a signature is none.
  }
  if (!good) throw new Refusal("signature");
}

/** Keys found good before: the check is as dear as a verification, and the same few come again and again. */
const known = new Set<string>();

/** Whether 32 bytes encode, canonically, a point of the prime-order group. */
export function isPrimeOrder(key: Uint8Array): boolean {
  const name = toHex(key);
  if (known.has(name)) return true;
  if (!isPoint(key)) return false;
  if (known.size >= KNOWN_KEYS) known.clear();
  known.add(name);
  return true;
}

function isPoint(encoded: Uint8Array): boolean {
  if (encoded.length !== 32) return false;
  try {
    const point = ed25519.Point.fromBytes(encoded, false);
    return !point.is0() && point.isTorsionFree();
  } catch {
    return false;
  }
}

/** The X25519 public key of a 32-byte seed. */
export function agreementPublic(seed: Uint8Array): Uint8Array {
  return x25519.getPublicKey(seed);
}

/** The X25519 secret with a public key; Refusal malformed when that key is of low order. */
export function agree(seed: Uint8Array, key: Uint8Array): Uint8Array {
  try {
    return x25519.getSharedSecret(seed, key);
  } catch {
    throw new Refusal("malformed");
  }
}

/** The ML-KEM-768 public key of a 64-byte seed (d ‖ z). */
export function kemPublic(seed: Uint8Array): Uint8Array {
  return ml_kem768.keygen(seed).publicKey;
}

/** Whether bytes are an ML-KEM-768 public key (FIPS 203, modulus check). */
export function isKemPublic(key: Uint8Array): boolean {
  if (key.length !== KEM_PUBLIC_SIZE) return false;
  for (let at = 0; at < KEM_COEFFICIENTS; at += 3) {
    const low = key[at]! | ((key[at + 1]! & 15) << 8);
    const high = (key[at + 1]! >> 4) | (key[at + 2]! << 4);
    if (low >= KEM_MODULUS || high >= KEM_MODULUS) return false;
  }
  return true;
}

/** A KEM secret (32 bytes) for a public key and its ciphertext, from 32 random bytes; Refusal malformed. */
export function encapsulate(
  key: Uint8Array,
  coins: Uint8Array,
): { secret: Uint8Array; ciphertext: Uint8Array } {
  try {
    const { sharedSecret, cipherText } = ml_kem768.encapsulate(key, coins);
    return { secret: sharedSecret, ciphertext: cipherText };
  } catch {
    throw new Refusal("malformed");
  }
}

/** The KEM secret of a ciphertext, with the public key of the seed (a wrong ciphertext gives a wrong secret). */
export function decapsulate(
  seed: Uint8Array,
  ciphertext: Uint8Array,
): { secret: Uint8Array; public: Uint8Array } {
  const { secretKey, publicKey } = ml_kem768.keygen(seed);
  return { secret: ml_kem768.decapsulate(ciphertext, secretKey), public: publicKey };
}

/** HKDF-SHA-256 (RFC 5869): `octets` from a secret. */
export function hkdf(secret: Uint8Array, salt: Uint8Array, info: Uint8Array, octets: number): Uint8Array {
  return hkdf256(sha256, secret, salt, info, octets);
}

/** A 32-byte key derived from a secret for what `name` says. */
export function derive(secret: Uint8Array, name: string): Uint8Array {
  return hkdf(secret, EMPTY, domain(name), 32);
}

/** HMAC-SHA-256. */
export function mac(key: Uint8Array, message: Uint8Array): Uint8Array {
  return hmac(sha256, key, message);
}

/** SHA-256. */
export function hash(...parts: Uint8Array[]): Uint8Array {
  return sha256(concat(...parts));
}
