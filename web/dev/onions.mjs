/** Onion addresses with right checksums, made from small numbers, for the fake box. */
import { sha3_256 } from "@noble/hashes/sha3.js";

const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";

/** @param {number} seed @returns {string} */
export function onion(seed) {
  const key = sha3_256(new Uint8Array([seed, 7, 7]));
  const sum = sha3_256(new Uint8Array([...new TextEncoder().encode(".onion checksum"), ...key, 3]));
  return `${base32(new Uint8Array([...key, sum[0] ?? 0, sum[1] ?? 0, 3]))}.onion`;
}

/** @param {Uint8Array} bytes @returns {string} */
export function base32(bytes) {
  let text = "";
  let held = 0;
  let bits = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET[held >> bits];
      held &= (1 << bits) - 1;
    }
  }
  return bits > 0 ? text + ALPHABET[(held << (5 - bits)) & 31] : text;
}
