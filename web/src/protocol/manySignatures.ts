/**
 * Many signatures at once, verified by the browser's own Ed25519 where it is as strict as ours: without a compiler for
 * scripts that is some fifty times as fast (SPEC.md, "Signatures").
 *
 * The browser is asked only about keys of prime order, which are checked here and remembered. Then what is left for
 * verifiers to differ on is whether R may carry a torsion part, be written in another way or be the identity, and
 * whether S is reduced. The second and third are checked here; the others it is tried on before it is trusted.
 */
import { concat, fromHex, utf8 } from "./bytes.ts";
import { SIGNATURE_SIZE, domain, isPrimeOrder, verify } from "./keys.ts";
import { Refusal } from "./refusal.ts";

/** A signature that somebody claims to have made. */
export interface Claim {
  readonly key: Uint8Array;
  readonly signature: Uint8Array;
  readonly context: string;
  readonly message: Uint8Array;
}

/** One that is good, and two about which verifiers disagree: R with torsion, S not reduced. */
export const TRIALS: readonly (Claim & { readonly good: boolean })[] = [
  trial(
    true,
    "096bc8e020424e1fe06d41c46867820d08b1d8ab0a89e6e3e4aafb8659f7f179",
    "c7bc35bb1899d29f63c429bc0af4d47f3a1acd805834aa164543d51e0bed548607ddade5b6f19fbc6744f63768e2bd060c5e2a8e58b0fe545775a2b84ebee902",
  ),
  trial(
    false,
    "17ffad8068dc0de9935d36636f3ad1b5de6de3413b12388e453b05f2a4c1d3db",
    "6999d5cb5126005c325892f1c6eab824b310708befff12fbaf45dda050cb12f0881585056f5c9d59ee7a3a18fef864d9afc8ab09a6f77985b0093d77c8c1180e",
  ),
  trial(
    false,
    "096bc8e020424e1fe06d41c46867820d08b1d8ab0a89e6e3e4aafb8659f7f179",
    "c7bc35bb1899d29f63c429bc0af4d47f3a1acd805834aa164543d51e0bed5486f4b0a342d154b2143ee1edda46dc9c1b0c5e2a8e58b0fe545775a2b84ebee912",
  ),
];

/** Keys the browser was given; the same few come again and again. */
const MAX_KEYS = 256;
const given = new Map<string, Promise<CryptoKey>>();
let trusted: Promise<boolean> | undefined;

/** For each claim whether its signature is good, as strictly as `verify`. */
export async function verifyAll(claims: readonly Claim[]): Promise<boolean[]> {
  trusted ??= isStrict();
  if (!(await trusted)) return claims.map(isGood);
  return Promise.all(claims.map(async (claim) => isSound(claim) && ask(claim)));
}

/** Whether this browser has Ed25519 and draws the line where we do. */
export async function isStrict(): Promise<boolean> {
  try {
    const told = await Promise.all(TRIALS.map(ask));
    return told.every((good, at) => good === TRIALS[at]!.good);
  } catch {
    return false;
  }
}

function isGood({ key, signature, context, message }: Claim): boolean {
  try {
    verify(key, signature, context, message);
    return true;
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
}

/** A key of prime order, and an R that is the one encoding of something else than the identity. */
function isSound({ key, signature }: Claim): boolean {
  return signature.length === SIGNATURE_SIZE && isPlainPoint(signature) && isPrimeOrder(key);
}

/** Whether the y in the first 32 octets is reduced and not 1: an x of zero, which has two signs, has y = 1 or −1. */
function isPlainPoint(signature: Uint8Array): boolean {
  const top = signature[31]! & 0x7f;
  const between = signature.subarray(1, 31);
  const reduced = top !== 0x7f || signature[0]! < 0xed || between.some((byte) => byte !== 0xff);
  const one = top === 0 && signature[0] === 1 && between.every((byte) => byte === 0);
  return reduced && !one;
}

async function ask({ key, signature, context, message }: Claim): Promise<boolean> {
  const signed = concat(domain(context), message);
  return crypto.subtle.verify("Ed25519", await keyOf(key), concat(signature), signed);
}

function keyOf(key: Uint8Array): Promise<CryptoKey> {
  const name = String(key);
  const known = given.get(name);
  if (known) return known;
  if (given.size >= MAX_KEYS) given.clear();
  const made = crypto.subtle.importKey("raw", concat(key), "Ed25519", false, ["verify"]);
  given.set(name, made);
  return made;
}

function trial(good: boolean, key: string, signature: string): Claim & { good: boolean } {
  const message = utf8("abc");
  return { good, key: fromHex(key), signature: fromHex(signature), context: "vector", message };
}
