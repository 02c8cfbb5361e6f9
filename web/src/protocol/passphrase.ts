/** How hard a passphrase is to guess, in four words. A careful estimate, not a promise. */

export type Strength = "none" | "weak" | "fair" | "good" | "strong";

const RUN = /(.)\1{2,}|012|123|234|345|456|567|678|789|abc|bcd|cde|qwe|wer|ert|asd|sdf|zxc/gi;
const COMMON = /pass(word|phrase)?|letmein|welcome|island|private|admin|iloveyou|monkey|dragon|qwerty/gi;

/** Estimate bits from words or from single letters, whichever is less, and say it in a word. */
export function strength(passphrase: string): Strength {
  if (passphrase === "") return "none";
  const bits = estimate(passphrase);
  if (bits < 35) return "weak";
  if (bits < 50) return "fair";
  return bits < 70 ? "good" : "strong";
}

function estimate(passphrase: string): number {
  const plain = passphrase.replace(COMMON, "x").replace(RUN, "x");
  const distinct = new Set(plain).size;
  const perLetter = Math.log2(Math.max(2, pool(plain)));
  const byLetters = Math.min(plain.length, distinct * 2) * perLetter * 0.7;
  const words = new Set(
    plain
      .toLowerCase()
      .split(/[\s\-_.,]+/)
      .filter((word) => word.length > 2),
  );
  return words.size >= 3 ? Math.min(byLetters, words.size * 13) : Math.min(byLetters, 60);
}

function pool(text: string): number {
  let size = 0;
  if (/[a-z]/.test(text)) size += 26;
  if (/[A-Z]/.test(text)) size += 26;
  if (/[0-9]/.test(text)) size += 10;
  if (/[^a-zA-Z0-9\s]/.test(text)) size += 20;
  if (/\s/.test(text)) size += 1;
  return size;
}
