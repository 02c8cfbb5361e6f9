/** A message as the pages see it, from what its events add up to. */
import { toHex } from "../../protocol/bytes.ts";
import { summary, type Whole } from "./dispatcher.ts";
import type { LogContent } from "./records.ts";
import { expiryOf, textOf, type Entry } from "./timeline.ts";
import type { Attachment, Message, MessageKind, MessageState, Reaction } from "./types.ts";

const KINDS: Partial<Record<string, MessageKind>> = {
  text: "text",
  attachment: "attachment",
  timer: "timer",
};

/** The message of an entry. */
export function messageOf(
  entry: Entry,
  whole: Whole,
  attachment: Attachment | null,
  /** The box has nothing open about this dispatch any more: everything was placed. */
  over = false,
): Message {
  const { content } = entry;
  const how = stateOf(entry, whole, over);
  const reply = (content as { reply?: Uint8Array } | null)?.reply;
  return {
    id: entry.id,
    mine: entry.by === 0 && entry.content !== null,
    kind: entry.notice ? "notice" : ((content && KINDS[content.kind]) ?? "unknown"),
    text: entry.notice ? (entry.notice.split(": ")[1] ?? "") : textOf(entry),
    sent: content ? Math.min(content.sent, Math.floor(entry.at / 1000)) : Math.floor(entry.at / 1000),
    state: how.state,
    until: how.until,
    relays: how.relays,
    reply: reply ? toHex(reply) : null,
    reactions: reactionsOf(entry),
    edited: entry.edit !== null && !entry.deleted,
    deleted: entry.deleted,
    attachment: entry.deleted ? null : attachment,
    timer: content?.kind === "timer" ? content.seconds : 0,
    expires: expiryOf(entry),
    unreadable: entry.lost ? "asked" : content?.kind === "newer" ? "newer" : null,
    notice: (entry.notice?.split(": ")[0] ?? null) as Message["notice"],
    problem: how.state === "failed" ? how.problem : null,
  };
}

function stateOf(
  entry: Entry,
  { state: dispatch, held }: Whole,
  over: boolean,
): { state: MessageState; until: number | null; relays: number; problem: string | null } {
  const plain = (state: MessageState, problem: string | null = null) => ({
    state,
    until: null,
    relays: 0,
    problem,
  });
  if (entry.by === 1 || !entry.content) return plain("");
  if (entry.read.size > 0) return plain("read");
  // Its message came, but chunks of it wait here still, or are given up.
  if (entry.delivered.size > 0 && !held) return plain("delivered");
  if (entry.failed && !dispatch) return plain("failed", entry.failed);
  if (!entry.dispatch) return plain("sealed");
  if (!dispatch) return plain(over ? "box" : "waiting");
  const { state, until, relays, reason } = summary(dispatch);
  return { state, until, relays, problem: reason };
}

function reactionsOf({ reactions }: Entry): Reaction[] {
  const { mine, theirs } = reactions;
  if (mine !== "" && mine === theirs) return [{ emoji: mine, count: 2, mine: true }];
  const list: Reaction[] = [];
  if (theirs !== "") list.push({ emoji: theirs, count: 1, mine: false });
  if (mine !== "") list.push({ emoji: mine, count: 1, mine: true });
  return list;
}

/** A line for the list of conversations. */
export function lineText(content: LogContent): string {
  if (content.kind === "text") return content.text.slice(0, 120);
  if (content.kind === "attachment") return (content.text || content.name).slice(0, 120);
  return "";
}
