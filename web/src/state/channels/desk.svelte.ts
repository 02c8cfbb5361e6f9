/** All channels of the account's box, and what works behind them. Owner: the core. */
import { toHex } from "../../protocol/bytes.ts";
import type * as wire from "../../protocol/channel.ts";
import type { LogNews } from "../../protocol/log.ts";
import type { Event } from "../../protocol/post.ts";
import type { Core } from "../messenger/core.ts";
import { names } from "../messenger/records.ts";
import { turn } from "../turns.ts";
import { asRefusal } from "../wire.ts";
import { ChannelView } from "./channel.svelte.ts";
import { Changing } from "./changing.ts";
import { ChannelKeys } from "./keys.ts";
import * as marks from "./marks.ts";
import { Rooms } from "./rooms.ts";
import type { Channel, ChannelDesk } from "./types.ts";

/** Channels whose messages stay in memory after they were in view. */
const RECENT = 4;
const TOGETHER = 400;

export class ChannelsDesk implements ChannelDesk {
  phase = $state<ChannelDesk["phase"]>("loading");
  problem = $state<string | null>(null);
  /** Readings of what is new in all channels that are under way. */
  #glancing = $state(0);
  mine = $state.raw<readonly ChannelView[]>([]);
  others = $state.raw<readonly ChannelView[]>([]);
  record = $state.raw<marks.ChannelsRecord>(marks.NONE);
  readonly rooms: Rooms;
  readonly keys: ChannelKeys;
  readonly changing: Changing;
  readonly #views = new Map<string, ChannelView>();
  /** Logs that are no channels: boards. */
  readonly #foreign = new Set<string>();
  #recent: string[] = [];
  #loading: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;
  #soon: ReturnType<typeof setTimeout> | undefined;
  #started = false;

  constructor(readonly core: Core) {
    this.rooms = new Rooms(core);
    this.keys = new ChannelKeys(core, this.rooms);
    this.keys.came = (id) => void this.#came(id).catch(() => undefined);
    this.changing = new Changing(core, this.rooms);
    core.listeners.add((event) => this.#heard(event));
    core.rereads.add((changed) => this.#reread(changed));
  }

  get settling(): boolean {
    return this.#glancing > 0;
  }
  get unread(): number {
    return this.mine.reduce((sum, one) => sum + (one.muted ? 0 : one.unread), 0);
  }
  get mentioned(): boolean {
    return this.mine.some((one) => one.mentioned);
  }

  /** There is a seat: read the list, and what is new in the channels one is in. */
  async start(): Promise<void> {
    this.#started = true;
    await this.#remember();
    await this.refresh();
    for (const { place, content } of await this.core.unsent.channels()) {
      void this.#views
        .get(place)
        ?.outbox.again(content)
        .catch(() => undefined);
    }
  }

  stop(): void {
    clearTimeout(this.#soon);
    for (const view of this.#views.values()) view.stop();
  }

  find(id: string): Channel | undefined {
    return [...this.mine, ...this.others].find((one) => one.id === id) ?? this.#views.get(id);
  }

  async open(id: string): Promise<Channel> {
    await this.core.ledger.begun;
    if (!this.#views.has(id)) await this.refresh();
    let view = this.#views.get(id);
    if (!view) {
      // Not in the list: the box says whether there is none, or whether it is not for us.
      const room = await this.rooms.enter(id).catch((error: unknown) => Promise.reject(asRefusal(error)));
      view = this.#add(room.seen);
    }
    this.#recent = [id, ...this.#recent.filter((one) => one !== id)];
    await view.open();
    return view;
  }

  leave(id: string): void {
    const view = this.#views.get(id);
    if (view) view.opened = false;
    const old = this.#recent.slice(RECENT);
    this.#recent = this.#recent.slice(0, RECENT);
    for (const one of old) this.#views.get(one)?.trim();
  }

  /** Read the list; one that is read already may have begun too early. */
  refresh(): Promise<void> {
    this.#next ??= this.#loading.then(() => {
      this.#next = undefined;
      return (this.#loading = this.#load());
    });
    return this.#next;
  }

  async create(made: { title: string; topic: string; public: boolean }): Promise<Channel> {
    try {
      const { title, topic } = made;
      const id = await this.changing.create({ title, topic }, made.public);
      return await this.open(id);
    } catch (error) {
      throw asRefusal(error);
    }
  }

  async #load(): Promise<void> {
    try {
      const all = await this.rooms.all();
      await this.core.vault.read(all.map((seen) => names.channel(toHex(seen.id))));
      for (const seen of all) {
        const view = this.#add(seen);
        view.tell(seen);
        view.recall(await this.rooms.record(view.id));
      }
      const ids = new Set(all.map((seen) => toHex(seen.id)));
      for (const [id, view] of this.#views) {
        if (ids.has(id)) continue;
        view.end();
        this.#views.delete(id);
        this.rooms.forget(id);
      }
      this.#sortAnew();
      const mine = new Set(this.mine.map((view) => view.id));
      if (this.#started) this.#change((now) => marks.withoutOthers(now, mine));
      this.phase = "ready";
      this.problem = null;
      if (this.#started) void this.#glance().catch(() => undefined);
    } catch (error) {
      this.problem = asRefusal(error).code;
      if (this.phase === "loading") this.phase = "failed";
    }
  }

  #add(seen: wire.Channel): ChannelView {
    const id = toHex(seen.id);
    const view = this.#views.get(id) ?? new ChannelView(this, id, seen);
    this.#views.set(id, view);
    this.#foreign.delete(id);
    return view;
  }

  /** One after the other, so that whoever opens one does not wait for all of them. */
  async #glance(): Promise<void> {
    const isNew = (one: ChannelView): number => (one.unread > 0 ? 0 : 1);
    this.#glancing++;
    try {
      for (const view of [...this.mine].sort((a, b) => isNew(a) - isNew(b))) {
        if (this.core.closed) return;
        view.outbox.resume();
        await view.glance().catch(() => undefined);
        await turn();
      }
    } finally {
      this.#glancing--;
      this.sort();
    }
  }

  /** The latest first; public ones one may join by title. */
  sort(): void {
    // Rows that move with every channel that is read would move under somebody's finger.
    if (this.settling) return;
    const mine = [...this.#views.values()].filter((one) => one.role !== null).sort((a, b) => b.at - a.at);
    const same = mine.length === this.mine.length && mine.every((one, at) => one === this.mine[at]);
    if (!same) this.#sortAnew();
  }

  #sortAnew(): void {
    const all = [...this.#views.values()];
    this.mine = all.filter((one) => one.role !== null).sort((a, b) => b.at - a.at);
    this.others = all.filter((one) => one.role === null && one.public).sort((a, b) => (a.title < b.title ? -1 : 1)); // prettier-ignore
  }

  // Following

  #heard(event: Event): void {
    if (event.kind === "hello" || event.kind === "reset") void this.#follow().catch(() => undefined);
    if (event.kind === "log" && event.log) this.#news(event.log);
  }

  #news(news: LogNews): void {
    const id = toHex(news.log);
    if (this.#foreign.has(id)) return;
    this.rooms.heard();
    const view = this.#views.get(id);
    if (view && view.role !== null) void view.heard(news).catch((error: unknown) => this.#lost(error));
    else this.#refreshSoon(id);
  }

  /** One was put out, or it is gone. */
  #lost(error: unknown): void {
    if (["not_member", "no_channel"].includes((error as { code?: string }).code ?? "")) void this.refresh();
  }

  #refreshSoon(id: string): void {
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined;
      void this.refresh().then(() => {
        if (this.phase === "ready" && !this.#views.has(id)) this.#foreign.add(id);
      });
    }, TOGETHER);
  }

  async #follow(): Promise<void> {
    if (!this.#started) return;
    this.#foreign.clear();
    this.rooms.heard();
    await this.refresh();
    for (const view of this.mine) {
      if (this.core.closed) return;
      await view.follow().catch((error: unknown) => this.#lost(error));
    }
  }

  async #came(id: string): Promise<void> {
    const view = this.#views.get(id);
    if (!view) return this.#refreshSoon(id);
    await view.refresh();
    await view.reader.again();
  }

  /** Now and then: what still waits for a key is asked for again. */
  tidy(): void {
    for (const view of this.mine) view.reader.ask();
  }

  /** Records that another device of the account wrote. */
  #reread(changed: readonly string[]): void {
    if (changed.includes(names.channels)) void this.#remember().catch(() => undefined);
    for (const name of changed) {
      const [kind, id, more] = name.split("/");
      if (kind !== "channel" || !id) continue;
      const view = this.#views.get(id);
      if (!view || (more !== undefined && more !== "reading")) continue;
      // Chains of a device that is new to us are named in the channel's record alone.
      const known = more === undefined ? view.refresh() : Promise.resolve();
      void known.then(() => view.reader.again()).catch(() => undefined);
    }
  }

  // Marks

  async #remember(): Promise<void> {
    const [value] = await this.core.vault.read([names.channels]);
    const before = this.record;
    this.record = (value as unknown as marks.ChannelsRecord | undefined) ?? marks.NONE;
    for (const [id, view] of this.#views) view.remark(before.drafts[id]);
  }

  /** Whose messages count is another matter now. */
  recount(): void {
    for (const [id, view] of this.#views) view.remark(this.record.drafts[id]);
  }

  #change(step: (now: marks.ChannelsRecord) => marks.ChannelsRecord): void {
    const next = step(this.record);
    if (next === this.record) return;
    this.record = next;
    this.core.ledger.later((batch) =>
      batch.change<marks.ChannelsRecord>(names.channels, (now) => step(now ?? marks.NONE)),
    );
  }

  mark(id: string, number: number): void {
    this.#change((now) => marks.withMark(now, id, number));
  }

  async mute(id: string, muted: boolean): Promise<void> {
    this.#change((now) => marks.withMuted(now, id, muted));
    await this.core.ledger.flush();
  }

  keepDraft(id: string, text: string): void {
    this.#change((now) => marks.withDraft(now, id, text));
  }
}
