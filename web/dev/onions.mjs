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

/** Text of the length of a real card; only the fake box accepts it.
 * @param {number} seed @param {string} name @returns {string} */
export function fakeCard(seed, name) {
  const words = new TextEncoder().encode(JSON.stringify({ seed, name }));
  const filler = Array.from({ length: 1500 }, (_, at) => (at * 31 + seed * 17) & 255);
  return `ISLAND:${base32(new Uint8Array([words.length, ...words, ...filler])).toUpperCase()}`;
}

/** @param {string} text @returns {{seed: number, name: string} | undefined} */
export function readFakeCard(text) {
  const letters = text
    .replace(/\s+/g, "")
    .toLowerCase()
    .replace(/^island:/, "");
  const bytes = [];
  let held = 0;
  let bits = 0;
  for (const letter of letters) {
    held = (held << 5) | ALPHABET.indexOf(letter);
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes.push((held >> bits) & 255);
      held &= (1 << bits) - 1;
    }
  }
  try {
    return JSON.parse(new TextDecoder().decode(new Uint8Array(bytes.slice(1, 1 + (bytes[0] ?? 0)))));
  } catch {
    return undefined;
  }
}
