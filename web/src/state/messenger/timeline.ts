/**
 * A conversation as its events tell it. Events come in any order, from several devices, some twice; what they
 * add up to does not depend on that. An edit, deletion or reaction counts only from whom it may come, and waits
 * for its target when that is not there yet.
 */
import { toHex } from "../../protocol/bytes.ts";
import type { LogContent, LogEvent } from "./records.ts";

type Said = Extract<LogEvent, { k: "m" }>;

export interface Entry {
  id: string;
  by: 0 | 1;
  at: number;
  content: LogContent | null;
  dispatch: string | null;
  device: string | null;
  edit: { text: string; sent: number } | null;
  deleted: boolean;
  removed: boolean;
  reactions: { mine: string; theirs: string; mineSent: number; theirsSent: number };
  delivered: Set<string>;
  read: Set<string>;
  /** Millisecond at which I read it, for its timer; 0 not yet. */
  started: number;
  failed: string | null;
  notice: string | null;
  lost: boolean;
}

const SHOWN = new Set(["text", "attachment", "timer", "newer"]);

export class Timeline {
  readonly entries = new Map<string, Entry>();
  /** Entries that changed since they were last shown. */
  readonly dirty = new Set<string>();
  #healed = new Map<string, number>();
  #waiting = new Map<string, LogEvent[]>();
  #others = new Map<string, LogContent>();

  has(id: string): boolean {
    return this.entries.has(id);
  }

  /** The content with this id, also one that is not shown (a reaction, an edit). */
  said(id: string): LogContent | undefined {
    return this.entries.get(id)?.content ?? this.#others.get(id);
  }

  /** What these messages said is forgotten. */
  forgetTexts(ids: ReadonlySet<string>, wholly: boolean): void {
    for (const id of ids) {
      const entry = this.entries.get(id);
      if (!entry?.content) continue;
      entry.content = { v: 1, id: entry.content.id, kind: "gone", sent: entry.content.sent };
      entry.edit = null;
      if (wholly) entry.removed = true;
      else entry.deleted = true;
      this.dirty.add(id);
    }
  }

  /** When it was logged first. */
  at(id: string): number | undefined {
    return this.entries.get(id)?.at;
  }

  /** Whether something of this device could not be read and nothing came after it. */
  isLost(device: string): boolean {
    return [...this.entries.values()].some(
      (entry) => entry.lost && entry.device === device && this.#isShown(entry),
    );
  }

  hasNotice(notice: string): boolean {
    return [...this.entries.values()].some((entry) => entry.notice === notice);
  }

  apply(events: readonly LogEvent[]): void {
    for (const event of events) this.#one(event);
  }

  /** Entries that are shown, oldest first, from second `from` on. */
  shown(from: number): Entry[] {
    const list = [...this.entries.values()].filter((entry) => entry.at >= from && this.#isShown(entry));
    // Of the same second those come first that were logged first.
    return list.sort((a, b) => a.at - b.at);
  }

  #isShown(entry: Entry): boolean {
    if (entry.removed) return false;
    if (entry.lost) return entry.at > (this.#healed.get(entry.device ?? "") ?? -1);
    return true;
  }

  #one(event: LogEvent): void {
    switch (event.k) {
      case "m":
        return this.#said(event);
      case "r":
        return this.#receipt(event);
      case "s":
        return this.#each(event, event.t, (entry) => (entry.started ||= event.at));
      case "x":
        return this.#each(event, event.t, (entry) => (entry.removed = true));
      case "f":
        return this.#each(event, [event.id], (entry) => (entry.failed = event.code));
      case "n":
        return this.#plain(toHex(event.id), event.at, { notice: event.what });
      case "l":
        return this.#plain(toHex(event.id), event.at, { lost: true, by: 1, device: toHex(event.dev) });
      case "h": {
        const device = toHex(event.dev);
        this.#healed.set(device, Math.max(event.at, this.#healed.get(device) ?? 0));
        for (const entry of this.entries.values()) if (entry.lost) this.dirty.add(entry.id);
      }
    }
  }

  #said(event: Said): void {
    const content = event.c;
    if (SHOWN.has(content.kind)) return this.#message(event, content);
    if (event.by === 0) this.#others.set(toHex(content.id), content);
    switch (content.kind) {
      case "reaction":
        return this.#each(event, [content.target], (entry) => {
          const side = event.by === 0 ? "mine" : "theirs";
          if (entry.reactions[`${side}Sent`] > content.sent) return;
          entry.reactions[side] = content.emoji;
          entry.reactions[`${side}Sent`] = content.sent;
        });
      case "edit":
        return this.#each(event, [content.target], (entry) => {
          if (entry.by !== event.by || (entry.edit && entry.edit.sent > content.sent)) return;
          entry.edit = { text: content.text, sent: content.sent };
        });
      case "delete":
        return this.#each(event, [content.target], (entry) => {
          if (entry.by === event.by) entry.deleted = true;
        });
      case "gone":
        return this.#message(event, content, true);
    }
  }

  #message(event: Said, content: LogContent, gone = false): void {
    const id = toHex(content.id);
    const known = this.entries.get(id);
    if (known?.content) {
      if (known.by !== event.by) return;
      // The same message read by two devices: the earlier arrival counts.
      known.at = Math.min(known.at, event.at);
      if (event.d) known.dispatch = toHex(event.d);
      if (gone) known.deleted = true;
      this.dirty.add(id);
      return;
    }
    const entry = known ?? blank(id, event.at);
    Object.assign(entry, { by: event.by, at: event.at, content, deleted: entry.deleted || gone });
    entry.dispatch = event.d ? toHex(event.d) : null;
    entry.device = event.dev ? toHex(event.dev) : null;
    this.entries.set(id, entry);
    this.dirty.add(id);
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (waiting) this.apply(waiting);
  }

  #plain(id: string, at: number, change: Partial<Entry>): void {
    if (this.entries.has(id)) return;
    this.entries.set(id, Object.assign(blank(id, at), change));
    this.dirty.add(id);
  }

  #receipt(event: Extract<LogEvent, { k: "r" }>): void {
    const device = toHex(event.dev);
    this.#each(event, event.t, (entry) => {
      if (entry.by === 0) entry[event.what].add(device);
    });
  }

  #each(event: LogEvent, targets: readonly Uint8Array[], change: (entry: Entry) => unknown): void {
    for (const target of targets) {
      const id = toHex(target);
      const entry = this.entries.get(id);
      if (entry) {
        change(entry);
        this.dirty.add(id);
      } else {
        const waiting = this.#waiting.get(id) ?? [];
        waiting.push("t" in event ? { ...event, t: [target] } : event);
        this.#waiting.set(id, waiting);
      }
    }
  }
}

function blank(id: string, at: number): Entry {
  return {
    id,
    by: 0,
    at,
    content: null,
    dispatch: null,
    device: null,
    edit: null,
    deleted: false,
    removed: false,
    reactions: { mine: "", theirs: "", mineSent: -1, theirsSent: -1 },
    delivered: new Set(),
    read: new Set(),
    started: 0,
    failed: null,
    notice: null,
    lost: false,
  };
}

/** The text of an entry as it stands now; "" when it has none. */
export function textOf(entry: Entry): string {
  if (entry.deleted || !entry.content) return "";
  if (entry.edit) return entry.edit.text;
  const { content } = entry;
  return content.kind === "text" || content.kind === "attachment" ? (content.text ?? "") : "";
}

/** Seconds after which it goes once it was read; 0 never. */
export function timerOf(entry: Entry): number {
  return (entry.content as { timer?: number } | null)?.timer ?? 0;
}

/** The second at which it disappears: mine after sending, theirs after I read it. */
export function expiryOf(entry: Entry): number | null {
  const timer = timerOf(entry);
  if (timer === 0 || entry.content?.kind === "timer") return null;
  const began = entry.by === 0 ? entry.at : entry.started;
  return began > 0 ? Math.floor(began / 1000) + timer : null;
}
