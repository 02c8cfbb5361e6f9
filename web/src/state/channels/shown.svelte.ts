/** One channel as the pages see it: what is known of it, and its log as far as it was read. */
import { toHex } from "../../protocol/bytes.ts";
import type * as wire from "../../protocol/channel.ts";
import { MAX_PAGE, type LogNews } from "../../protocol/log.ts";
import { memberOf, type State } from "../../protocol/membership.ts";
import type { Info, Role } from "../../protocol/roster.ts";
import { Refusal } from "../api.ts";
import type { ChannelRecord } from "../messenger/records.ts";
import { beforeDrawing } from "../turns.ts";
import { asRefusal } from "../wire.ts";
import type { ChannelsDesk } from "./desk.svelte.ts";
import { Outbox } from "./outbox.ts";
import { FIRST, Reader } from "./reader.ts";
import { infoOf, stateOf } from "./rooms.ts";
import type { Entry } from "./timeline.ts";
import type { Channel, ChannelMember, ChannelMessage } from "./types.ts";
import { membersOf, messageOf, newsOf } from "./view.ts";

/** Entries that are read back to where one was, in view and beside it. */
const MOST_BACK = 4_000;
const MOST_BESIDE = 256;
/** Entries that are read of a channel where nothing is new, to show its last message. */
const A_FEW = 8;
/** Messages kept of a channel that was not in view for long. */
const KEPT = FIRST;
/** Seconds; what disappears later than this is looked at again by then. */
const FAR = 3_600;

export abstract class ShownChannel {
  readonly reader: Reader;
  readonly outbox: Outbox;
  protected seen = $state.raw<wire.Channel>()!;
  #roster = $state.raw<State>();
  #info = $state.raw<Info>();
  #alarm = $state(false);
  /** Members that the directory does not show, by identity. */
  #missing = $state.raw<ReadonlySet<string>>(new Set());
  messages = $state.raw<readonly ChannelMessage[]>([]);
  pins = $state.raw<readonly ChannelMessage[]>([]);
  last = $state.raw<ChannelMessage | null>(null);
  unread = $state(0);
  mentioned = $state(false);
  older = $state<Channel["older"]>("more");
  progress = $state.raw<Channel["progress"]>(null);
  giving = $state.raw<Channel["giving"]>(null);
  waitUntil = $state(0);
  draft = $state("");
  readTo = $state(0);
  opened = false;
  /** Messages from this number on are shown. */
  #from = Infinity;
  #shown = new Map<string, { entry: Entry; message: ChannelMessage }>();
  #drawing: (() => void) | undefined;
  #expiring: ReturnType<typeof setTimeout> | undefined;
  #catching: Promise<void> | undefined;
  #loading: Promise<void> | undefined;

  constructor(
    readonly desk: ChannelsDesk,
    readonly id: string,
    seen: wire.Channel,
  ) {
    this.seen = seen;
    const { core, rooms, keys } = desk;
    this.reader = new Reader(core, rooms, keys, id);
    this.reader.changed = () => this.#soon();
    this.outbox = new Outbox(core, rooms, keys, this.reader, {
      giving: (done, total) => (this.giving = done < total ? { done, total } : null),
      waitUntil: (second) => (this.waitUntil = second),
      changed: () => this.#soon(),
    });
    this.draft = desk.record.drafts[id] ?? "";
  }

  get title(): string {
    return this.seen.title ?? this.#info?.title ?? "";
  }
  get topic(): string {
    return this.seen.topic ?? this.#info?.topic ?? "";
  }
  get public(): boolean {
    return this.seen.public;
  }
  get closed(): boolean {
    return this.seen.closed || (this.#roster?.closed ?? false);
  }
  get role(): Role | null {
    if (!this.seen.member) return null;
    return this.#roster ? (this.#me?.role ?? null) : "member";
  }
  get count(): number {
    return this.seen.member && this.#roster ? this.#roster.members.size : this.seen.members;
  }
  get alarm(): boolean {
    return this.#alarm;
  }
  get muted(): boolean {
    return this.desk.record.muted.includes(this.id);
  }
  get timer(): number {
    return this.#roster?.timer ?? 0;
  }
  get slow(): number {
    return this.#roster?.slow ?? 0;
  }
  get members(): readonly ChannelMember[] {
    return membersOf(this.#roster, this.#mine, this.desk.core.stage.here, this.#missing);
  }
  /** Second of the latest that is known to have happened. */
  get at(): number {
    return this.last?.sent ?? (this.#roster?.hour ?? 0) * 3600;
  }

  get #mine(): string {
    return toHex(this.desk.core.identity());
  }
  get #me() {
    return this.#roster && memberOf(this.#roster, this.desk.core.identity());
  }
  get #mark(): number {
    return this.desk.record.marks[this.id] ?? 0;
  }

  /** How the box tells of it now. */
  tell(seen: wire.Channel): void {
    this.seen = seen;
  }

  /** What is remembered of it, before its roster was read. */
  recall(record: ChannelRecord): void {
    this.#alarm = (record.alarm ?? false) || (this.desk.rooms.get(this.id)?.forked ?? false);
    try {
      const state = this.desk.rooms.get(this.id)?.places.state ?? stateOf(record.state);
      if (state !== this.#roster) this.reader.timeline.refresh();
      if (this.#roster && this.#roster.slow > 0 && state?.slow === 0) this.outbox.hasten();
      this.#roster = state;
      this.#info = state && infoOf(state, record);
    } catch (error) {
      // Damaged, or of a newer version: whoever opens it is told.
      if (!(error as { code?: string }).code) throw error;
    }
    this.#soon();
  }

  /** The roster as it was read just now. */
  async refresh(): Promise<void> {
    const room = this.desk.rooms.get(this.id);
    if (room) {
      this.seen = room.seen;
      const looked = room.devices > 0 ? [...room.roster.members.keys()] : [];
      this.#missing = new Set(looked.filter((identity) => !room.entries.has(identity)));
    }
    this.recall(await this.desk.rooms.record(this.id));
    this.desk.sort();
  }

  // Reading

  /** It comes into view. Refusals no_channel, not_member, bad_roster. */
  async open(): Promise<void> {
    this.opened = true;
    await this.asked(async () => {
      await this.#enter();
      if (!this.seen.member) return void (this.older = "none");
      this.readTo = this.#mark;
      await this.#begin(FIRST);
      this.#showFrom(this.reader.low);
      this.#update();
      void this.#catchUp().catch(() => undefined);
    });
  }

  async #enter(): Promise<void> {
    try {
      await this.desk.rooms.enter(this.id);
    } finally {
      await this.refresh();
    }
  }

  async #begin(count: number): Promise<void> {
    await this.reader.newest(count);
    if (this.reader.high - this.reader.low + 1 < count) await this.reader.older(count);
    await this.refresh();
  }

  /** Not in view: read enough to know what is new. */
  async glance(): Promise<void> {
    if (!this.seen.member || this.reader.begun) return;
    await this.#begin(this.seen.last > this.#mark ? FIRST : A_FEW);
    await this.#catchUp();
  }

  /** Read back to where it was read last. */
  #catchUp(): Promise<void> {
    this.#catching ??= this.#readBack().finally(() => {
      this.#catching = undefined;
      this.progress = null;
    });
    return this.#catching;
  }

  async #readBack(): Promise<void> {
    const { reader } = this;
    const [begin, mark] = [reader.low, this.#mark];
    // It may come into view meanwhile.
    const until = (): number => Math.max(mark, begin - (this.opened ? MOST_BACK : MOST_BESIDE));
    const some = (low: number): number => Math.min(MAX_PAGE, Math.max(0, low - 1 - until()));
    while (reader.more && some(reader.low) > 0 && !this.desk.core.closed) {
      if (this.opened) this.progress = { done: reader.high - reader.low, total: reader.high - until() };
      await reader.older(some(reader.low), some);
      if (this.opened) this.#showFrom(reader.low);
      this.#update();
    }
    // What went by age is told by nobody.
    this.#forgetSoon();
  }

  #showFrom(number: number): void {
    this.#from = Math.min(this.#from, number);
  }

  /** It is in view no more; what is kept of it is little. */
  trim(): void {
    if (this.opened || this.#catching) return;
    this.reader.trim(KEPT);
    this.#from = Infinity;
    this.#shown.clear();
    this.#update();
  }

  loadOlder(): Promise<void> {
    if (this.older === "none") return Promise.resolve();
    this.#loading ??= this.#loadOlder().finally(() => (this.#loading = undefined));
    return this.#loading;
  }

  async #loadOlder(): Promise<void> {
    this.older = "loading";
    await this.asked(() => this.#back()).finally(() => {
      this.older = "more";
      this.#update();
    });
  }

  async #back(): Promise<void> {
    const hidden = this.reader.timeline.rows().filter(({ number }) => number < this.#from);
    if (hidden.length === 0) {
      await this.reader.older();
      this.#showFrom(this.reader.low);
    } else this.#showFrom(hidden.at(-FIRST)?.number ?? this.reader.low);
  }

  async reach(id: string): Promise<boolean> {
    while (!this.messages.some((message) => message.id === id || message.entry === id)) {
      if (this.older === "none") return false;
      await this.loadOlder();
    }
    return true;
  }

  /** An event told of its log. */
  async heard(news: LogNews): Promise<void> {
    this.seen = { ...this.seen, last: Math.max(this.seen.last, news.last) };
    const before = this.desk.rooms.get(this.id)?.places.count;
    // Nothing new is what is told of a channel that was deleted.
    const isOver = news.last <= this.reader.high && !news.entries?.length;
    try {
      if (isOver) await this.desk.rooms.enter(this.id);
      else if (this.reader.begun) await this.reader.heard(news);
      else await this.glance();
      if (news.entries?.some((entry) => !entry.body)) this.#forgetSoon();
    } finally {
      const room = this.desk.rooms.get(this.id);
      if (room?.places.count !== before || room?.forked) await this.refresh();
    }
    if (!this.#me) await this.desk.refresh();
  }

  /** News may have been lost: look for oneself. */
  async follow(): Promise<void> {
    if (!this.reader.begun) return this.glance();
    if (this.seen.roster.number > (this.#roster?.number ?? 0)) await this.desk.rooms.meet(this.seen);
    if (this.opened || this.seen.last > this.reader.high) await this.reader.newer(this.opened);
    await this.refresh();
    if (this.opened) await this.#catchUp();
  }

  #forgetSoon(): void {
    if (!this.reader.more) void this.reader.forget().catch(() => undefined);
  }

  // Showing

  #soon(): void {
    this.#drawing ??= beforeDrawing(() => this.#update());
  }

  /** Everything that is shown, made anew from what changed. */
  #update(): void {
    this.#drawing?.();
    this.#drawing = undefined;
    const all = this.all();
    this.messages = this.opened ? all.filter((one) => (one.number || Infinity) >= this.#from) : [];
    const said = all.filter((one) => one.kind !== "change" && !one.deleted);
    this.last = said.findLast((one) => one.kind !== "unknown") ?? said.at(-1) ?? this.last;
    this.pins = this.#pinned();
    const { unread, mentioned } = newsOf(said, this.#mark, this.desk.core.stage.ignored);
    // What was not read back to yet counts by its numbers.
    const until = this.reader.begun ? (this.reader.more ? this.reader.low - 1 : 0) : this.seen.last;
    this.unread = this.seen.member ? unread + Math.max(0, until - this.#mark) : 0;
    this.mentioned = mentioned;
    const hidden = this.reader.more || all.length > this.messages.length;
    if (this.older !== "loading") this.older = this.seen.member && hidden ? "more" : "none";
    this.desk.sort();
  }

  #pinned(): ChannelMessage[] {
    return this.reader.timeline.pinned().map((entry) => this.#message(entry));
  }

  /** All messages that were read and have not disappeared. */
  protected all(): ChannelMessage[] {
    const now = this.desk.core.now();
    let next = Infinity;
    const list: ChannelMessage[] = [];
    const rows = this.reader.timeline.rows();
    const over = rows.filter(({ expires }) => expires !== null && expires <= now);
    this.reader.timeline.drop(...over.map(({ number }) => number));
    for (const row of rows) {
      if (over.includes(row)) continue;
      const entry = this.reader.timeline.entry(row);
      if (!entry) continue;
      next = Math.min(next, row.expires ?? Infinity);
      list.push(this.#message(entry));
    }
    clearTimeout(this.#expiring);
    if (next - now < FAR) this.#expiring = setTimeout(() => this.#expired(), (next - now) * 1000 + 500);
    return list;
  }

  #expired(): void {
    this.#update();
    this.#forgetSoon();
  }

  #message(entry: Entry): ChannelMessage {
    const known = this.#shown.get(entry.id);
    if (known?.entry === entry) return known.message;
    const { said } = entry.row;
    const file = said?.kind === "attachment" && !entry.deleted ? this.desk.core.files.view(said) : null;
    const message = messageOf(entry, this.#roster, this.#mine, file);
    this.#shown.set(entry.id, { entry, message });
    return message;
  }

  markRead(): void {
    if (!this.reader.begun || this.reader.high <= this.#mark) return;
    this.desk.mark(this.id, this.reader.high);
    this.#update();
  }

  /** Marks were read anew. */
  remark(before: string | undefined): void {
    const draft = this.desk.record.drafts[this.id] ?? "";
    if (this.draft === (before ?? "")) this.draft = draft;
    this.#update();
  }

  /** It is no channel of ours any more. */
  end(): void {
    this.stop();
    this.seen = { ...this.seen, member: false };
    this.#update();
  }

  /** Nothing here runs any more. */
  stop(): void {
    clearTimeout(this.#expiring);
    this.#drawing?.();
    this.reader.stop();
    this.outbox.stop();
  }

  /** The message with this id; Refusal no_item. */
  protected findMessage(id: string): ChannelMessage {
    const entry = this.reader.timeline.find(id);
    if (!entry) throw new Refusal("no_item", "", 404);
    return this.#message(entry);
  }

  /** Whatever goes wrong, as pages are told of it. */
  protected async asked<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      throw asRefusal(error);
    }
  }
}
