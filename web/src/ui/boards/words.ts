/** What the boards' pages say and allow, by role and by what stands in a post. */
import { t } from "../../locales/index.ts";
import type { Board, Poster } from "../../protocol/board.ts";
import { address, shortAddress } from "../../protocol/onion.ts";
import type { Role } from "../../state/account/types.ts";
import type { Proof } from "../../state/boards/judging.ts";

const RANKS: Record<Role, number> = { agent: 1, member: 1, moderator: 2, admin: 3, owner: 4 };
const LEAST: Record<Poster, number> = { member: 1, moderator: 2, admin: 3 };

/** Whether one makes and changes boards. */
export const mayKeep = (role: Role): boolean => RANKS[role] >= RANKS.admin;

/** Whether one pins, locks and removes what others wrote on a board. */
export const mayModerate = (role: Role, board: Board): boolean =>
  !board.home && RANKS[role] >= RANKS.moderator;

/** Whether a text says for how many days a board may keep its threads. */
export const isDays = (text: string): boolean =>
  /^\d{1,4}$/.test(text.trim()) && Number(text) >= 1 && Number(text) <= 3650;

/** Whether one may write on a board at all. */
export const mayPost = (role: Role, board: Board): boolean =>
  !board.closed && !board.home && RANKS[role] >= LEAST[board.posters];

/** Why one may not write here, in a sentence; "" if one may. */
export function shutWords(role: Role, board: Board, locked = false): string {
  if (board.home) return t.mirrors.writeThere(shortAddress(address(board.home)));
  if (board.closed) return t.boards.closedLead;
  if (!mayPost(role, board)) return board.posters === "admin" ? t.posts.mayNotPostAdmin : t.posts.mayNotPost;
  return locked ? t.posts.lockedLead : "";
}

/** What stands beside a post about its signature. */
export function proofWords(proof: Proof, name: string): string {
  switch (proof) {
    case "signed":
      return t.posts.signed(name);
    case "former":
      return t.posts.former(name);
    case "vouched":
      return t.posts.vouched;
    case "false":
      return t.posts.forged;
    case "":
      return "";
  }
}

/** Somebody's words, as they are quoted in an answer. */
export function quoted(body: string): string {
  return `${body
    .trim()
    .split("\n")
    .slice(0, 12)
    .map((line) => `> ${line}`)
    .join("\n")}\n\n`;
}

/** A text in pieces: those that have a word of the query, and those between. */
export function marked(text: string, query: string): { text: string; hit: boolean }[] {
  const plain = (words: string): string => words.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const words = plain(query)
    .split(/[^\p{L}\p{N}]+/u)
    .filter(Boolean);
  if (words.length === 0) return [{ text, hit: false }];
  const spaced = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/u;
  return text.split(/([\p{L}\p{N}\p{M}]+)/u).map((piece) => {
    const now = plain(piece);
    const hit =
      /[\p{L}\p{N}]/u.test(piece) &&
      words.some((word, at) =>
        spaced.test(word)
          ? now.includes(word)
          : at === words.length - 1
            ? now.startsWith(word)
            : now === word,
      );
    return { text: piece, hit };
  });
}
