/** A message of a channel as the pages see it, from what its entries in the log add up to. */
import { toHex } from "../../protocol/bytes.ts";
import { ROLES } from "../../protocol/roster.ts";
import type { State } from "../../protocol/membership.ts";
import { isPosted, sentOf, type Entry } from "./timeline.ts";
import type { Attachment } from "../messenger/types.ts";
import type { ChannelMember, ChannelMessage, ChannelReaction } from "./types.ts";

const HOUR = 3600;

/** The message; `state` is the roster as it stands, `me` this account's identity in hex. */
export function messageOf(
  entry: Entry,
  state: State | undefined,
  me: string,
  attachment: Attachment | null,
): ChannelMessage {
  const { id, row, deleted, edit } = entry;
  const { said, hour } = row;
  const { mentioned, mentionsMe } = edit ?? row;
  const reply = said?.kind === "text" || said?.kind === "attachment" ? said.reply : undefined;
  return {
    id,
    number: isPosted(row) ? row.number : 0,
    entry: isPosted(row) ? row.entry : "",
    kind: row.change ? "change" : (kindOf(entry) ?? "unknown"),
    mine: row.identity === me,
    name: row.name,
    identity: row.identity,
    left: row.identity !== "" && state !== undefined && !state.members.has(row.identity),
    text: entry.text,
    sent: said ? sentOf(said.sent, hour) : hour * HOUR,
    state: row.state,
    problem: row.problem,
    reply: reply && !deleted ? toHex(reply) : null,
    reactions: reactionsOf(entry, me),
    edited: entry.edited,
    deleted,
    pinned: entry.pinned > 0,
    mentions: deleted ? [] : mentioned,
    mentionsMe: mentionsMe && !deleted,
    attachment: deleted ? null : attachment,
    expires: row.expires,
    unreadable: row.unreadable,
    change: row.change,
  };
}

/** Who is in it, by role, then name. */
export function membersOf(
  state: State | undefined,
  me: string,
  present: readonly string[],
  missing: ReadonlySet<string>,
): ChannelMember[] {
  const here = new Set(present);
  const all = [...(state?.members ?? [])].map(([identity, { name, role }]): ChannelMember => {
    const known = { name, identity, role, me: identity === me };
    return { ...known, here: here.has(name), missing: missing.has(identity) };
  });
  const rank = ({ role }: ChannelMember): number => ROLES.indexOf(role);
  return all.sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
}

/** What others said behind a number of the log, as far as it can be read; those who are `ignored` do not count. */
export function newsOf(
  messages: readonly ChannelMessage[],
  mark: number,
  ignored: ReadonlySet<string>,
): { unread: number; mentioned: boolean } {
  const fresh = messages.filter(({ mine, kind, number, deleted, name }) => {
    const said = kind === "text" || kind === "attachment";
    return said && !mine && !deleted && number > mark && !ignored.has(name);
  });
  return { unread: fresh.length, mentioned: fresh.some((one) => one.mentionsMe) };
}

function kindOf({ row: { said } }: Entry): "text" | "attachment" | undefined {
  return said?.kind === "text" || said?.kind === "attachment" ? said.kind : undefined;
}

function reactionsOf({ reactions }: Entry, me: string): ChannelReaction[] {
  const all = new Map<string, { names: string[]; mine: boolean }>();
  for (const [identity, { emoji, name }] of reactions) {
    const { names, mine } = all.get(emoji) ?? { names: [], mine: false };
    all.set(emoji, { names: [...names, name], mine: mine || identity === me });
  }
  return [...all].map(([emoji, { names, mine }]) => ({ emoji, names, mine }));
}
