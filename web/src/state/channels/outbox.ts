/**
 * What this device says in one channel, one after the other: members that changed are looked up, keys are given to
 * who lacks them, then it is sealed, stored, and posted. What was stored and not answered is posted again as it is,
 * also at the next start: under the same id it counts once.
 */
import { equal, toHex } from "../../protocol/bytes.ts";
import type * as wire from "../../protocol/channel.ts";
import {
  readChannelContent,
  writeChannelContent,
  type ChannelContent,
} from "../../protocol/channelContent.ts";
import { memberOf } from "../../protocol/membership.ts";
import { Refusal } from "../api.ts";
import { names, type LogContent, type LogEvent, type PostingRecord } from "../messenger/records.ts";
import type { Core } from "../messenger/core.ts";
import { random } from "../random.ts";
import { Displaced } from "../vault/vault.ts";
import { asRefusal, isOffline } from "../wire.ts";
import type { ChannelKeys, Giving } from "./keys.ts";
import type { Reader } from "./reader.ts";
import type { Room, Rooms } from "./rooms.ts";
import { rowAhead, type Row } from "./timeline.ts";

/** How often a message is sealed anew because the members changed meanwhile. */
const TRIES = 8;
const HOUR = 3600;
/** Refusals that end by themselves. */
const SLOWED = new Set(["slow_mode", "too_fast"]);
/** Seconds to wait where it is not told how long. */
const A_WHILE = 10;
/** Refusals that say that something else was first: once more from how it is now. */
const AGAIN = new Set(["old_roster", "vault_conflict"]);

interface Item {
  /** In the timeline. */
  number: number;
  content: ChannelContent;
  draft: wire.PostChannel | undefined;
  done: () => void;
  failed: (error: unknown) => void;
}

/** What it does to the channel that is shown. */
export interface Stage {
  giving: Giving;
  /** Second at which something may be said again; 0 now. */
  waitUntil(second: number): void;
  changed(): void;
}

export class Outbox {
  #queue: Item[] = [];
  #running = false;
  #resumed = false;
  #wake: (() => void) | undefined;

  constructor(
    readonly core: Core,
    readonly rooms: Rooms,
    readonly keys: ChannelKeys,
    readonly reader: Reader,
    readonly stage: Stage,
  ) {}

  get id(): string {
    return this.reader.id;
  }

  /** Say something: shown at once; resolves when it is in the vault. */
  say(content: ChannelContent): Promise<void> {
    writeChannelContent(content);
    return this.#put(content);
  }

  #put(content: ChannelContent): Promise<void> {
    if (this.#queue.some((item) => equal(item.content.id, content.id))) return Promise.resolve();
    const number = this.#ahead(content);
    // Until it is in the vault this browser keeps it: a page that is closed without a connection loses nothing.
    this.core.unsent.keep(`channel/${this.id}`, eventOf(content, this.core.stamp()));
    return new Promise((resolve, failed) => {
      const done = (): void => {
        this.core.unsent.drop(content.id);
        resolve();
      };
      this.#queue.push({ number, content, draft: undefined, done, failed });
      void this.#run();
    });
  }

  /** Show it as on its way; Refusal not_member where nobody knows who would read it. */
  #ahead(content: ChannelContent): number {
    const { timeline } = this.reader;
    const state = this.rooms.get(this.id)?.places.state;
    if (!state) throw new Refusal("not_member", "", 403);
    const number = timeline.ahead();
    timeline.put([rowAhead(number, content, state, this.core.identity(), this.core.hour())]);
    this.stage.changed();
    return number;
  }

  /** Go on with what an earlier page stored and did not see answered. */
  resume(): void {
    if (!this.#resumed) void this.#run();
  }

  /** That comes before everything else, since what is sealed next is stored in its place. */
  async #recover(): Promise<void> {
    const [value] = await this.core.vault.read([names.posting(this.id, this.core.seat.id)]);
    const record = value as unknown as PostingRecord | undefined;
    if (record) {
      await this.rooms.enter(this.id);
      const content = readChannelContent(record.payload);
      const nobody = (): void => this.core.unsent.drop(content.id);
      const item = {
        number: this.#ahead(content),
        content,
        draft: record.post,
        done: nobody,
        failed: nobody,
      };
      // Perhaps it waits here as well: it was kept before it was stored.
      this.#queue = [item, ...this.#queue.filter((one) => !equal(one.content.id, content.id))];
    }
    this.#resumed = true;
  }

  /** What an earlier page could not even store. */
  async again(content: ChannelContent): Promise<void> {
    await this.rooms.enter(this.id);
    await this.#put(content);
  }

  /** Something else of the same words may be said again, or was taken back. */
  take(number: number): Row | undefined {
    const row = this.reader.timeline.row(number);
    if (row?.state !== "failed") return undefined;
    this.reader.timeline.drop(number);
    this.stage.changed();
    return row;
  }

  /** There is nothing to wait for any more: who was slowed down goes on. */
  hasten(): void {
    this.stage.waitUntil(0);
    this.#wake?.();
  }

  stop(): void {
    this.#wake?.();
  }

  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    for (let failures = 0; (!this.#resumed || this.#queue.length > 0) && !this.core.closed;) {
      const item = this.#resumed ? this.#queue[0] : undefined;
      try {
        if (!item) {
          await this.#recover();
          continue;
        }
        const posted = await this.#send(item);
        failures = 0;
        this.#queue.shift();
        this.#rest();
        item.done();
        this.#show(item, { state: "posted", hour: posted.hour });
        // Should no news of it come.
        void this.reader.newer().catch(() => undefined);
      } catch (error) {
        if (error instanceof Displaced || this.core.closed) break;
        if (isOffline(error)) {
          this.core.offline(true);
          await this.core.pause(failures++);
          continue;
        }
        const refusal = asRefusal(error);
        // Who may not look into the channel any more has nothing to go on with.
        this.#resumed = true;
        if (!item) continue;
        if (SLOWED.has(refusal.code)) {
          const { seconds } = refusal.details;
          await this.#wait(typeof seconds === "number" ? seconds : A_WHILE);
          continue;
        }
        this.#queue.shift();
        this.#fail(item, refusal);
      }
    }
    this.#running = false;
  }

  #fail(item: Item, refusal: Refusal): void {
    if (isMessage(item.content)) this.#show(item, { state: "failed", problem: refusal.code });
    else this.reader.timeline.drop(item.number);
    this.stage.changed();
    this.core.unsent.drop(item.content.id);
    item.failed(refusal);
  }

  #show(item: Item, change: Partial<Row>): void {
    const row = this.reader.timeline.row(item.number);
    if (!row) return;
    this.reader.timeline.put([{ ...row, ...change }]);
    this.stage.changed();
  }

  /** In slow mode a member rests after each message. */
  #rest(): void {
    const { places } = this.rooms.get(this.id)!;
    const me = places.state && memberOf(places.state, this.core.identity());
    const seconds = me?.role === "member" ? places.state!.slow : 0;
    this.stage.waitUntil(seconds > 0 ? this.core.now() + seconds : 0);
  }

  async #wait(seconds: number): Promise<void> {
    this.stage.waitUntil(this.core.now() + Math.ceil(seconds));
    await new Promise<void>((done) => {
      const timer = setTimeout(done, Math.ceil(seconds) * 1000);
      this.#wake = () => {
        clearTimeout(timer);
        done();
      };
    });
    this.stage.waitUntil(0);
  }

  async #send(item: Item): Promise<wire.Posted> {
    for (let turn = 1; ; turn++) {
      try {
        item.draft ??= await this.#seal(item, turn > 1);
        // Whoever edits or reacts waits until it is there: if it is refused, nothing of it stays to be seen.
        if (isMessage(item.content)) item.done();
        const posted = await this.core.wire.post<wire.Posted>("/v1/channels/post", item.draft);
        this.#clear(item.draft);
        return posted;
      } catch (error) {
        const { code = "" } = error as { code?: string };
        if (isOffline(error) || SLOWED.has(code) || error instanceof Displaced) throw error;
        if (item.draft) this.#clear(item.draft);
        item.draft = undefined;
        if (!AGAIN.has(code) || turn >= TRIES) throw error;
        if (code === "vault_conflict") await this.core.vault.pull();
      }
    }
  }

  async #seal(item: Item, again: boolean): Promise<wire.PostChannel> {
    let room = this.rooms.get(this.id);
    // Who is there is told by events; where one was missed the box refuses the post, and it is looked at.
    if (!room || again || room.devices === 0 || room.places.state!.number < room.seen.roster.number)
      room = await this.enter();
    if (room.forked || (await this.rooms.record(this.id)).alarm) throw new Refusal("bad_roster", "", 400);
    await this.keys.ready(room, this.stage.giving);
    return this.#store(room, item);
  }

  /** The room with whoever is in it now looked up. */
  async enter(): Promise<Room> {
    const room = await this.rooms.enter(this.id);
    await this.rooms.look(room);
    return room;
  }

  #store(room: Room, item: Item): Promise<wire.PostChannel> {
    const { ledger, seat } = this.core;
    const payload = writeChannelContent(item.content);
    return ledger.run(async (batch) => {
      const cipher = await this.keys.cipher(batch, room);
      const state = room.roster;
      const sealed = cipher.seal(state, payload, random);
      this.keys.store(batch, room.id, cipher);
      const post: wire.PostChannel = {
        channel: room.seen.id,
        id: random(16),
        roster: state.number,
        devices: room.devices,
        sealed,
        ...(state.timer > 0 ? { hours: Math.ceil(state.timer / HOUR) } : {}),
      };
      const record: PostingRecord = { v: 1, post, payload };
      batch.set(names.posting(room.id, seat.id), record);
      return post;
    });
  }

  /** It was answered: nothing of it need be remembered. */
  #clear(draft: wire.PostChannel): void {
    const id = toHex(draft.id);
    this.core.ledger.later((batch) =>
      batch.change<PostingRecord>(names.posting(this.id, this.core.seat.id), (now) =>
        now && toHex(now.post.id) === id ? undefined : now,
      ),
    );
  }
}

function eventOf(content: ChannelContent, at: number): LogEvent {
  return { k: "m", at, by: 0, c: content as LogContent };
}

function isMessage({ kind }: ChannelContent): boolean {
  return kind === "text" || kind === "attachment";
}
