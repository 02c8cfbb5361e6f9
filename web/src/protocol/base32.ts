/** Unpadded base32 (RFC 4648), as onion addresses, cards and reader keys spell bytes. */

const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";

/** Bytes to lower-case unpadded base32. */
export function toBase32(bytes: Uint8Array): string {
  let text = "";
  let held = 0;
  let bits = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET[held >> bits]!;
      held &= (1 << bits) - 1;
    }
  }
  return bits > 0 ? text + ALPHABET[(held << (5 - bits)) & 31]! : text;
}

/** Base32 of either case to bytes; undefined when it is not the one canonical spelling. */
export function fromBase32(text: string): Uint8Array | undefined {
  if ([1, 3, 6].includes(text.length % 8)) return undefined;
  const bytes = new Uint8Array(Math.floor((text.length * 5) / 8));
  let held = 0;
  let bits = 0;
  let at = 0;
  for (const letter of text.toLowerCase()) {
    const value = ALPHABET.indexOf(letter);
    if (value < 0) return undefined;
    held = (held << 5) | value;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = held >> bits;
      held &= (1 << bits) - 1;
    }
  }
  return held === 0 ? bytes : undefined;
}
