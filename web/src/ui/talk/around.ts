/** The piece of a text around what was searched for. */

const BEFORE = 40;
const AFTER = 90;

/** Text before the match, the match, text after it; shortened at both ends. */
export function around(text: string, wanted: string): [string, string, string] {
  const plain = text.replace(/\s+/g, " ");
  const at = plain.toLowerCase().indexOf(wanted.trim().toLowerCase());
  if (at < 0) return [plain.slice(0, BEFORE + AFTER), "", ""];
  const end = at + wanted.trim().length;
  const before = plain.slice(Math.max(0, at - BEFORE), at);
  const after = plain.slice(end, end + AFTER);
  return [
    at > BEFORE ? `…${before}` : before,
    plain.slice(at, end),
    end + AFTER < plain.length ? `${after}…` : after,
  ];
}
