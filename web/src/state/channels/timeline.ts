/**
 * What stands in a channel's log, opened and put together: messages with their edits, reactions and pins, and what was
 * changed in the roster. Pure: entries may be put in any order, and once more when something about them is new.
 */
import { equal, toHex } from "../../protocol/bytes.ts";
import { mentions, type ChannelContent } from "../../protocol/channelContent.ts";
import { parse } from "../../protocol/channelMessage.ts";
import type { Heard } from "../../protocol/groupCipher.ts";
import type { LogEntry } from "../../protocol/log.ts";
import { may, memberOf, type State } from "../../protocol/membership.ts";
import type { Turn } from "./places.ts";
import type { ChannelState, RosterChange, Unreadable } from "./types.ts";

const HOUR = 3600;
/** What was said here and is not in the log yet stands behind all that is. */
const AHEAD = 2 ** 52;

/** One entry of the log, or one of our own messages that is on its way there. */
export interface Row {
  readonly number: number;
  /** Id of the entry, in hex. */
  readonly entry: string;
  readonly hour: number;
  /** Second at which it disappears; null: it does not. */
  readonly expires: number | null;
  readonly name: string;
  /** Hex. */
  readonly identity: string;
  readonly said: ChannelContent | null;
  readonly unreadable: Unreadable | null;
  readonly removed: "author" | "moderator" | null;
  /** Its author was one of those who may pin. */
  readonly pins: boolean;
  readonly mentioned: readonly string[];
  readonly mentionsMe: boolean;
  readonly change: RosterChange | null;
  /** The chain (hex) it was sealed by, and where in it. */
  readonly chain: { readonly id: string; readonly bytes: Uint8Array; readonly iteration: number } | null;
  /** While its key has not come: the entry itself. */
  readonly waiting: LogEntry | null;
  readonly state: ChannelState;
  readonly problem: string | null;
}

const BLANK = {
  expires: null,
  name: "",
  identity: "",
  said: null,
  unreadable: null,
  removed: null,
  pins: false,
  mentioned: [],
  mentionsMe: false,
  change: null,
  chain: null,
  waiting: null,
  state: "",
  problem: null,
} as const;

/** A message and what was said about it. */
export interface Entry {
  /** As pages know it. */
  readonly id: string;
  readonly row: Row;
  readonly text: string;
  readonly edited: boolean;
  readonly deleted: "author" | "moderator" | null;
  /** Number of the pin that holds; 0: it is not pinned. */
  readonly pinned: number;
  /** By identity, in the order in which they were put. */
  readonly reactions: ReadonlyMap<string, { readonly emoji: string; readonly name: string }>;
  /** The edit that holds, where there is one. */
  readonly edit: Row | null;
}

export class Timeline {
  readonly #rows = new Map<number, Row>();
  #order: number[] = [];
  #sorted = true;
  /** Rows of messages by the id of what they say, and what was said about those, each by number. */
  readonly #saying = new Map<string, number[]>();
  readonly #about = new Map<string, number[]>();
  readonly #entries = new Map<number, Entry | null>();
  readonly #ahead = new Set<number>();
  #given = 0;

  get size(): number {
    return this.#rows.size;
  }

  /** Rows by rising number. */
  rows(): Row[] {
    if (!this.#sorted) this.#order.sort((a, b) => a - b);
    this.#sorted = true;
    return this.#order.map((number) => this.#rows.get(number)!);
  }

  row(number: number): Row | undefined {
    return this.#rows.get(number);
  }

  /** Put rows in; one that is there with that number is replaced. What arrives in the log ends its way there. */
  put(rows: readonly Row[]): void {
    for (const row of rows) {
      const before = this.#rows.get(row.number);
      if (before) this.#index(before, false);
      else this.#place(row.number);
      this.#rows.set(row.number, row);
      this.#index(row, true);
      if (row.number < AHEAD && row.said) this.#arrived(row);
    }
  }

  /** A number for what is on its way into the log. */
  ahead(): number {
    return AHEAD + ++this.#given;
  }

  /** Take rows out. */
  drop(...numbers: readonly number[]): void {
    for (const number of numbers) {
      const row = this.#rows.get(number);
      if (row) this.#index(row, false);
      this.#rows.delete(number);
      this.#ahead.delete(number);
    }
    if (numbers.length > 0) this.#order = this.#order.filter((number) => this.#rows.has(number));
  }

  /** Keep only the newest rows of the log. */
  trim(count: number): void {
    const there = this.rows().filter(isPosted);
    this.drop(...there.slice(0, Math.max(0, there.length - count)).map(({ number }) => number));
  }

  /** The message that a row is; null: it is none, or counts with another one. */
  entry(row: Row): Entry | null {
    const known = this.#entries.get(row.number);
    if (known !== undefined) return known;
    const made = this.#make(row);
    this.#entries.set(row.number, made);
    return made;
  }

  /** The message with this id, of those that are here. */
  find(id: string): Entry | undefined {
    const number = this.#saying.get(id)?.[0];
    const row = number === undefined ? undefined : this.#rows.get(number);
    if (row) return this.entry(row) ?? undefined;
    const other = this.rows().find((one) => one.entry === id);
    return other && (this.entry(other) ?? undefined);
  }

  /** Messages that are pinned, the latest pinned first. */
  pinned(): Entry[] {
    const entries = this.rows().flatMap((row) => this.entry(row) ?? []);
    return entries.filter(({ pinned }) => pinned > 0).sort((a, b) => b.pinned - a.pinned);
  }

  /** What stands in the log of a message: itself, as often as it was posted, and its author's edits of it. */
  standing({ id, row }: Entry): Row[] {
    const numbers = [...(this.#saying.get(id) ?? []), ...(this.#about.get(id) ?? [])];
    const of = numbers.map((number) => this.#rows.get(number)!).filter((one) => one.number < AHEAD);
    const words = ["text", "attachment", "edit"];
    const theirs = of.filter((one) => one.identity === row.identity && words.includes(one.said?.kind ?? ""));
    return theirs.length > 0 ? theirs : [row];
  }

  /** The roster is another one: whatever depends on it is made anew. */
  refresh(): void {
    this.#entries.clear();
  }

  #place(number: number): void {
    const last = this.#order.at(-1);
    if (last !== undefined && last > number) this.#sorted = false;
    this.#order.push(number);
    if (number >= AHEAD) this.#ahead.add(number);
  }

  #arrived(row: Row): void {
    const id = toHex(row.said!.id);
    for (const other of [...this.#ahead]) {
      const mine = this.#rows.get(other)!;
      if (mine.said && toHex(mine.said.id) === id && mine.identity === row.identity) this.drop(other);
    }
  }

  #index(row: Row, add: boolean): void {
    this.#entries.delete(row.number);
    if (!row.said) return;
    const target = targetOf(row.said);
    const key = toHex(target ?? row.said.id);
    const map = target ? this.#about : this.#saying;
    const others = (map.get(key) ?? []).filter((number) => number !== row.number);
    const all = add ? [...others, row.number].sort((a, b) => a - b) : others;
    if (all.length > 0) map.set(key, all);
    else map.delete(key);
    for (const number of [...(this.#saying.get(key) ?? []), ...others]) this.#entries.delete(number);
  }

  #make(row: Row): Entry | null {
    const nothing = { text: "", edited: false, deleted: row.removed, pinned: 0, edit: null } as const;
    const alone = { ...nothing, id: row.entry, row, reactions: new Map<string, never>() };
    if (!row.said) return alone;
    if (targetOf(row.said)) return null;
    const id = toHex(row.said.id);
    const first = this.#rows.get(this.#saying.get(id)![0]!)!;
    const text = "text" in row.said ? (row.said.text ?? "") : "";
    if (first !== row) {
      // Posted twice it counts once; that somebody else's has this id, too, is no accident.
      return first.identity === row.identity ? null : { ...alone, text };
    }
    return this.#fold(id, row, text);
  }

  #fold(id: string, row: Row, first: string): Entry {
    let [text, pinned] = [first, 0];
    let { removed: deleted } = row;
    let edit: Row | null = null;
    const reactions = new Map<string, { emoji: string; name: string }>();
    for (const number of this.#about.get(id) ?? []) {
      const about = this.#rows.get(number)!;
      const { said, identity, name } = about;
      const own = identity === row.identity;
      if (said?.kind === "edit" && own) [text, edit] = [said.text, about];
      else if (said?.kind === "delete" && own) deleted ??= "author";
      else if (said?.kind === "pin" && about.pins) pinned = said.on ? number : 0;
      else if (said?.kind === "reaction") {
        reactions.delete(identity);
        if (said.emoji !== "") reactions.set(identity, { emoji: said.emoji, name });
      }
    }
    if (deleted)
      return { id, row, text: "", edited: false, deleted, pinned: 0, reactions: new Map(), edit: null };
    return { id, row, text, edited: edit !== null, deleted, pinned, reactions, edit };
  }
}

/** The message that something is said about; undefined: it is a message itself. */
function targetOf(said: ChannelContent): Uint8Array | undefined {
  return "target" in said ? said.target : undefined;
}

/** Whether a row stands in the log. */
export function isPosted({ number }: Row): boolean {
  return number < AHEAD;
}

/** The row of something we say, before it is in the log. */
export function rowAhead(
  number: number,
  said: ChannelContent,
  state: State,
  me: Uint8Array,
  hour: number,
): Row {
  const entry = toHex(said.id);
  return { ...BLANK, number, entry, hour, ...saidBy(said, state, me, me), state: "sealed" };
}

/** The row of a change of the roster. */
export function rowOfChange(entry: LogEntry, turn: Turn): Row {
  const { actor } = turn.link.entry;
  const { before, after } = turn;
  const by = (before && memberOf(before, actor)) ?? memberOf(after, actor);
  const blank = { ...BLANK, number: entry.number, entry: toHex(entry.id), hour: entry.hour };
  return { ...blank, name: by?.name ?? "", identity: toHex(actor), change: changeOf(turn) };
}

function changeOf({ link, before }: Turn): RosterChange {
  const { change } = link.entry;
  const nameOf = (identity: Uint8Array): string => (before && memberOf(before, identity)?.name) ?? "";
  switch (change.kind) {
    case "add":
      return { what: "add", whom: change.name, role: change.role };
    case "role":
      return { what: "role", whom: nameOf(change.identity), role: change.role };
    case "remove":
      return { what: "remove", whom: nameOf(change.identity) };
    case "timer":
    case "slow":
      return { what: change.kind, seconds: change.seconds };
    default:
      return { what: change.kind };
  }
}

/** The row of a message in the log, and what was heard of it (undefined: nothing of it is left there). */
export function rowOf(
  entry: LogEntry,
  state: State | undefined,
  me: Uint8Array,
  heard?: Heard,
  said?: ChannelContent | null,
): Row {
  const { number, hour } = entry;
  const blank = { ...BLANK, number, entry: toHex(entry.id), hour, chain: entry.body && chainOf(entry.body) };
  if (!entry.body || !heard || !state) {
    const removed = entry.removed === "expired" ? null : (entry.removed ?? null);
    return { ...blank, removed, expires: entry.removed === "expired" ? 0 : null };
  }
  if ("wanted" in heard) {
    const isMine = memberOf(state, me) !== undefined;
    return { ...blank, unreadable: isMine ? "waits" : "before", waiting: isMine ? entry : null };
  }
  if ("refused" in heard) {
    const why = { out_of_step: "before", unknown_version: "newer" }[heard.refused as string];
    return { ...blank, unreadable: (why as Unreadable | undefined) ?? "forged" };
  }
  const { identity } = heard.sender;
  if (!said) {
    const name = memberOf(state, identity)?.name ?? "";
    return { ...blank, name, identity: toHex(identity), unreadable: said === null ? "forged" : "newer" };
  }
  const own: ChannelState = equal(identity, me) ? "posted" : "";
  return {
    ...blank,
    ...saidBy(said, state, identity, me),
    expires: expiryOf(entry, state, said),
    state: own,
  };
}

function saidBy(
  said: ChannelContent,
  state: State,
  by: Uint8Array,
  me: Uint8Array,
): Partial<Row> & { said: ChannelContent; name: string; identity: string } {
  // prettier-ignore
  const named = "text" in said && said.text ? mentions(said.text, state) : [];
  return {
    said,
    name: memberOf(state, by)?.name ?? "",
    identity: toHex(by),
    pins: may(state, by, "pin"),
    mentioned: named.map((member) => member.name),
    mentionsMe: named.some((member) => equal(member.identity, me)),
  };
}

/** Its timer counts from when it was said, within the hour in which it was taken in (SPEC section 31). */
function expiryOf(entry: LogEntry, state: State, said: ChannelContent): number | null {
  const timers = [state.timer, said.timer ?? 0].filter((seconds) => seconds > 0);
  const ends = timers.map((seconds) => sentOf(said.sent, entry.hour) + seconds);
  if (entry.until) ends.push(entry.until * HOUR);
  return ends.length > 0 ? Math.min(...ends) : null;
}

/** When something was said: by its author's clock, but within the hour the box took it in. */
export function sentOf(sent: number, hour: number): number {
  return Math.min(Math.max(sent, hour * HOUR), hour * HOUR + HOUR - 1);
}

function chainOf(body: Uint8Array): Row["chain"] {
  try {
    const { chain, iteration } = parse(body);
    return { id: toHex(chain), bytes: chain, iteration };
  } catch {
    return null;
  }
}
