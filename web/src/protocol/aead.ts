/** XChaCha20-Poly1305 with the nonce in front, as every sealed thing but records and attachments has it. */
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { concat } from "./bytes.ts";
import type { Random } from "./keys.ts";
import { Refusal } from "./refusal.ts";

export const NONCE_SIZE = 24;
export const TAG_SIZE = 16;

/** nonce(24) ‖ ciphertext under a fresh random nonce. */
export function seal(
  key: Uint8Array,
  data: Uint8Array,
  content: Uint8Array,
  random: Random,
): Uint8Array<ArrayBuffer> {
  const nonce = random(NONCE_SIZE);
  return concat(nonce, sealWith(key, nonce, data, content));
}

/** What `seal` sealed, or undefined when key, associated data or a byte is another. */
export function open(key: Uint8Array, data: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
  if (sealed.length < NONCE_SIZE + TAG_SIZE) return undefined;
  return openWith(key, sealed.subarray(0, NONCE_SIZE), data, sealed.subarray(NONCE_SIZE));
}

/** The same as a refusal not_opened. */
export function mustOpen(key: Uint8Array, data: Uint8Array, sealed: Uint8Array): Uint8Array {
  const content = open(key, data, sealed);
  if (!content) throw new Refusal("not_opened");
  return content;
}

/** Ciphertext and tag under a nonce that this key never saw before. */
export function sealWith(
  key: Uint8Array,
  nonce: Uint8Array,
  data: Uint8Array,
  content: Uint8Array,
): Uint8Array {
  return xchacha20poly1305(key, nonce, data).encrypt(content);
}

/** The content, or undefined. */
export function openWith(
  key: Uint8Array,
  nonce: Uint8Array,
  data: Uint8Array,
  sealed: Uint8Array,
): Uint8Array | undefined {
  try {
    return xchacha20poly1305(key, nonce, data).decrypt(sealed);
  } catch {
    return undefined;
  }
}
