/**
 * The log of one channel, read in pages and opened: the newest first, then back from there, then whatever comes. What
 * was opened stays in the timeline and is not opened again.
 */
import { toBase64url } from "../../protocol/base64url.ts";
import { readChannelContent, type ChannelContent } from "../../protocol/channelContent.ts";
import { KINDS } from "../../protocol/channel.ts";
import type { Heard, Posted } from "../../protocol/groupCipher.ts";
import { MAX_PAGE, type LogEntry, type LogNews, type LogPage } from "../../protocol/log.ts";
import { memberOf } from "../../protocol/membership.ts";
import type { Core } from "../messenger/core.ts";
import { turn } from "../turns.ts";
import type { ChannelKeys } from "./keys.ts";
import { Readings } from "./readings.ts";
import type { Room, Rooms } from "./rooms.ts";
import { Timeline, isPosted, rowOf, rowOfChange, type Row } from "./timeline.ts";

const ROSTER = KINDS.indexOf("roster");
const MESSAGE = KINDS.indexOf("message");
/** Entries that are read first, to show something soon. */
export const FIRST = 64;
/** Entries that are looked at before others get a turn. */
const SLICE = 32;
/** Milliseconds that a key may take to come by itself, before it is asked for. */
const PATIENCE = 1_500;

export class Reader {
  readonly timeline = new Timeline();
  readonly readings: Readings;
  /** What was read: entries from `low` to `high`; 0: nothing yet. */
  low = 0;
  high = 0;
  /** Whether there is something before. */
  more = true;
  /** Told after something was taken in. */
  changed: () => void = () => {};
  #tail: Promise<unknown> = Promise.resolve();
  #ahead: { readonly query: string; readonly page: Promise<LogPage> } | undefined;
  #asking: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly core: Core,
    readonly rooms: Rooms,
    readonly keys: ChannelKeys,
    readonly id: string,
  ) {
    this.readings = new Readings(core, keys, id);
  }

  get begun(): boolean {
    return this.high > 0;
  }

  stop(): void {
    clearTimeout(this.#asking);
    this.readings.stop();
  }

  /** Read the newest entries. */
  newest(limit = FIRST): Promise<void> {
    return this.#alone(async () => {
      if (this.begun) return;
      const room = await this.rooms.enter(this.id);
      const { last } = room.seen;
      if (!this.#isMember(room)) return;
      this.low = last + 1;
      await this.#back(room, limit);
      this.high = last;
    });
  }

  /** Read what comes before that; `then` says how many are wanted next, once these are on their way into the page. */
  older(limit = FIRST, then?: (low: number) => number): Promise<void> {
    return this.#alone(async () => {
      if (!this.begun || !this.more) return;
      await this.#back(this.rooms.get(this.id)!, Math.min(limit, MAX_PAGE), then);
    });
  }

  /** Read what came since; what was taken away of the last entries is noticed as well. */
  newer(again = false): Promise<void> {
    return this.#alone(async () => {
      if (!this.begun) return;
      if (again) {
        const { entries } = await this.#page(before(this.high + 1, FIRST));
        await this.#take(entries.filter((entry) => this.#isNews(entry)));
      }
      await this.#follow();
    });
  }

  /** Take in what an event told; what it left out is read. */
  heard(news: LogNews): Promise<void> {
    return this.#alone(async () => {
      if (!this.begun) return;
      const fresh: LogEntry[] = [];
      let next = this.high + 1;
      for (const entry of news.entries ?? [])
        if (entry.number < next ? this.#isNews(entry) : entry.number === next++) fresh.push(entry);
      await this.#take(fresh);
      this.high = Math.max(this.high, fresh.at(-1)?.number ?? 0);
      if (news.last > this.high) await this.#follow();
    });
  }

  /** A key has come: read again what waited for one. */
  again(): Promise<void> {
    return this.#alone(async () => {
      const waiting = this.timeline.rows().flatMap((row) => (row.waiting ? [row.waiting] : []));
      if (waiting.length > 0) await this.#take(waiting);
    });
  }

  /** Let go of the keys of what is not in the log any more, when all of it is known. */
  forget(): Promise<void> {
    return this.#alone(async () => {
      if (!this.begun || this.more || this.high < (this.rooms.get(this.id)?.seen.last ?? Infinity)) return;
      const oldest = new Map<string, number>();
      for (const { chain } of this.timeline.rows()) {
        if (!chain) continue;
        oldest.set(chain.id, Math.min(chain.iteration, oldest.get(chain.id) ?? Infinity));
      }
      await this.readings.forget(oldest);
    });
  }

  /** Ask once more for what still waits. */
  ask(): void {
    this.#asking ??= setTimeout(() => {
      this.#asking = undefined;
      void this.#ask().catch(() => undefined);
    }, PATIENCE);
  }

  async #ask(): Promise<void> {
    const room = this.rooms.get(this.id);
    const chains = new Map<string, Uint8Array>();
    for (const { chain, waiting } of this.timeline.rows())
      if (chain && waiting) chains.set(chain.id, chain.bytes);
    if (!room || chains.size === 0 || this.core.closed) return;
    await this.rooms.look(room);
    await this.keys.ask(room, chains);
  }

  /** Keep only the newest rows in memory. */
  trim(count: number): void {
    this.timeline.trim(count);
    const first = this.timeline.rows().find(isPosted)?.number;
    if (first === undefined || first <= this.low) return;
    this.low = first;
    this.more = true;
  }

  #alone<T>(run: () => Promise<T>): Promise<T> {
    const running = this.#tail.then(run);
    this.#tail = running.catch(() => undefined);
    return running;
  }

  #isMember(room: Room): boolean {
    return memberOf(room.roster, this.core.identity()) !== undefined;
  }

  /** Read what stands before `low`; nobody reads what was said before he came in. */
  async #back(room: Room, limit: number, then?: (low: number) => number): Promise<void> {
    const entrance = room.places.entrance(this.core.identity()) ?? 0;
    const page = await this.#page(before(this.low, limit));
    const entries = page.entries.filter(({ number }) => number >= entrance);
    const low = entries[0]?.number ?? this.low;
    const more = page.more && entries.length > 0 && low > entrance;
    const wanted = more ? (then?.(low) ?? 0) : 0;
    if (wanted > 0) this.#fetch(before(low, wanted));
    await this.#take(entries);
    this.low = low;
    this.more = more;
  }

  /** A page of the log; the one that was fetched meanwhile, if it is that. */
  #page(query: string): Promise<LogPage> {
    const ahead = this.#ahead?.query === query ? this.#ahead.page : undefined;
    this.#ahead = undefined;
    const { id } = this.rooms.get(this.id)!.seen;
    return ahead ?? this.core.wire.get<LogPage>(`/v1/channels/${toBase64url(id)}/entries?${query}`);
  }

  /** Have a page on its way while another one is opened: over Tor each takes its time. */
  #fetch(query: string): void {
    const page = this.#page(query);
    page.catch(() => undefined);
    this.#ahead = { query, page };
  }

  async #follow(): Promise<void> {
    for (let more = true; more;) {
      const page = await this.#page(after(this.high));
      const last = page.entries.at(-1)?.number ?? 0;
      if (page.more && last > this.high) this.#fetch(after(last));
      await this.#take(page.entries);
      this.high = Math.max(this.high, page.entries.at(-1)?.number ?? 0, page.more ? 0 : page.last);
      more = page.more && page.entries.length > 0;
    }
  }

  /** Whether something about an entry that was read is new: what it said was taken away. */
  #isNews({ number, body }: LogEntry): boolean {
    const row = this.timeline.row(number);
    return row !== undefined && !body && row.chain !== null;
  }

  async #take(entries: readonly LogEntry[]): Promise<void> {
    if (entries.length === 0) return;
    // A key leaves before what is sealed with it.
    await this.core.inbound.idle();
    let room = this.rooms.get(this.id)!;
    const lacking = (entry: LogEntry): boolean => entry.kind === ROSTER && !room.places.has(entry.number);
    if (entries.some(lacking)) room = await this.rooms.enter(this.id);
    const posted = entries.flatMap(({ number, kind, body }): Posted[] => {
      const state = room.places.at(number);
      return kind === MESSAGE && body && state ? [{ number, message: body, state }] : [];
    });
    const heard = new Map<number, Heard>();
    for (const one of await this.readings.open(posted, () => turn())) heard.set(one.number, one);
    const rows: Row[] = [];
    for (const [at, entry] of entries.entries()) {
      if (at % SLICE === SLICE - 1) await turn();
      rows.push(...this.#row(room, entry, heard.get(entry.number)));
    }
    this.timeline.put(rows);
    if (rows.some((row) => row.waiting)) this.ask();
    this.changed();
  }

  #row(room: Room, entry: LogEntry, heard: Heard | undefined): Row[] {
    const { number } = entry;
    if (entry.kind === ROSTER) {
      const change = room.places.turn(number);
      return change ? [rowOfChange(entry, change)] : [];
    }
    if (entry.kind !== MESSAGE) return [];
    const before = this.timeline.row(number);
    if (!entry.body && before?.said) return this.#gone(entry, before);
    const said = heard && "payload" in heard ? read(heard.payload) : undefined;
    return [rowOf(entry, room.places.at(number), this.core.identity(), heard, said)];
  }

  /** What it said is taken away also here; of what was no message of its own nothing stays. */
  #gone(entry: LogEntry, before: Row): Row[] {
    const said = before.said!;
    if ("target" in said) {
      this.timeline.drop(before.number);
      return [];
    }
    const { v, id, sent } = said;
    const removed = entry.removed === "author" ? "author" : "moderator";
    const blank: ChannelContent = { v, id, kind: "text", sent, text: "" };
    return [{ ...before, said: blank, removed, mentioned: [], mentionsMe: false, chain: null }];
  }
}

const before = (number: number, limit: number): string => `before=${number}&limit=${limit}`;
const after = (number: number): string => `after=${number}&limit=${MAX_PAGE}`;

/** What is said; undefined: made by a newer version, null: nothing that anybody could read. */
function read(payload: Uint8Array): ChannelContent | null | undefined {
  try {
    return readChannelContent(payload);
  } catch (error) {
    return (error as { code?: string }).code === "unknown_version" ? undefined : null;
  }
}
