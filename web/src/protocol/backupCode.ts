/** Backup codes: 128 random bits on paper that sign in once and open the vault. */
import { derive, type Random } from "./keys.ts";
import { Refusal } from "./refusal.ts";
import type { Stretched } from "./stretching.ts";

/** Crockford's base32: no I, L, O and U. */
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const OCTETS = 16;
const LETTERS = 26;
const GROUP = /.{1,5}/g;

/** A new code. */
export function makeCode(random: Random): Uint8Array {
  return random(OCTETS);
}

/** The code as people write it down: 26 letters in groups of five. */
export function codeText(code: Uint8Array): string {
  let held = 0n;
  for (const byte of code) held = (held << 8n) | BigInt(byte);
  // 26 letters hold two bits more than 16 octets: they are the last letter's lowest.
  held <<= BigInt(LETTERS * 5 - OCTETS * 8);
  let text = "";
  for (let at = LETTERS - 1; at >= 0; at--) text += ALPHABET[Number((held >> BigInt(at * 5)) & 31n)]!;
  return text.match(GROUP)!.join("-");
}

/** The code in what somebody typed, whatever the case, spaces and hyphens; Refusal malformed. */
export function readCode(text: string): Uint8Array {
  const typed = text.replace(/[\s-]/g, "");
  // Before the change of case: a dotless i would become one of the letters.
  if (!/^[0-9A-Za-z]{26}$/.test(typed)) throw new Refusal("malformed");
  const letters = typed.toUpperCase().replace(/[IL]/g, "1").replace(/O/g, "0");
  let held = 0n;
  for (const letter of letters) {
    const value = ALPHABET.indexOf(letter);
    if (value < 0) throw new Refusal("malformed");
    held = (held << 5n) | BigInt(value);
  }
  if (held & 3n) throw new Refusal("malformed");
  held >>= 2n;
  const code = new Uint8Array(OCTETS);
  for (let at = OCTETS - 1; at >= 0; at--, held >>= 8n) code[at] = Number(held & 255n);
  return code;
}

/** The keys of a code. It has all its bits already: nothing to stretch. */
export function codeKeys(code: Uint8Array): Stretched {
  return {
    authentication: derive(code, "code authentication"),
    wrapping: derive(code, "code wrapping"),
  };
}
