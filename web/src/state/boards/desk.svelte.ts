/** All boards of the box: the list, what is new for this member, and everything one may do with a board. Owner: the page. */
import { toBase64url } from "../../protocol/base64url.ts";
import * as wire from "../../protocol/board.ts";
import type { LogNews, WatchLogs } from "../../protocol/log.ts";
import type { LookAtRoom, Mirror, Mirrors, NewMirror, RoomOffer } from "../../protocol/mirror.ts";
import type { NewReport, Thank, Thanked, Why } from "../../protocol/moderation.ts";
import { address } from "../../protocol/onion.ts";
import type { Event } from "../../protocol/post.ts";
import type { Hits } from "../../protocol/search.ts";
import { Refusal } from "../api.ts";
import { random } from "../random.ts";
import { asRefusal } from "../wire.ts";
import type { Ground } from "./ground.ts";
import { Judge } from "./judging.ts";
import { octetsOf } from "./keys.ts";
import * as marks from "./marks.ts";
import { news } from "./news.svelte.ts";

/** A board in the list. */
export interface BoardRow extends wire.Board {
  /** Its id in addresses. */
  readonly key: string;
}

/** Threads with something new; `more` when there are more than were looked at. */
export interface Fresh {
  readonly threads: number;
  readonly more: boolean;
}

/** What an open board or thread does when its log has grown. */
export type Hearer = (news: LogNews) => void;

const LOOKED_AT = 50;
const TOGETHER = 400;

/** `T` without what everything signed has. */
type Unsigned<T> = T extends unknown ? Omit<T, "v" | "id" | "board" | "sent" | "name" | "onion"> : never;

export class BoardsDesk {
  /** In the order their owner gave them; undefined until they were loaded. */
  list = $state.raw<readonly BoardRow[] | undefined>();
  problem = $state.raw<Refusal | undefined>();
  record = $state.raw<marks.BoardsRecord>(marks.NONE);
  fresh = $state.raw<Readonly<Record<string, Fresh>>>({});
  /** By the address of the boards' home. */
  readonly #judges = new Map<string, Judge>();
  /** By board. */
  readonly #hearers = new Map<string, Set<Hearer>>();
  #counted: Record<string, number> = {};
  #soon: ReturnType<typeof setTimeout> | undefined;
  #end: (() => void) | undefined;

  constructor(readonly ground: Ground) {}

  /** Begin to follow the boards; again is alike. */
  async start(): Promise<void> {
    if (!this.#end) {
      this.#end = this.ground.hear(
        (event) => this.#heard(event),
        () => void this.#reread(),
      );
      await this.#reread().catch(() => undefined);
    }
    await this.load();
  }

  stop(): void {
    this.#end?.();
    this.#end = undefined;
    clearTimeout(this.#soon);
    news.forget();
  }

  async load(): Promise<void> {
    try {
      const { boards } = await this.ground.wire.get<wire.Boards>("/v1/boards");
      const before = this.list?.map((one) => one.key).join();
      this.list = boards.map((one) => ({ ...one, key: toBase64url(one.id) }));
      this.problem = undefined;
      const keys = new Set(this.list.map((one) => one.key));
      if (marks.withoutOthers(this.record, keys) !== this.record)
        this.change((now) => marks.withoutOthers(now, keys));
      if (before !== [...keys].join()) void this.#watch().catch(() => undefined);
      await this.#count();
    } catch (error) {
      this.problem = asRefusal(error);
    }
  }

  /** Who judges what stands on a board: its home says whose identity is which. */
  judgeOf(key: string): Judge {
    const home = this.find(key)?.home ?? this.ground.onion;
    const host = address(home);
    const known = this.#judges.get(host) ?? new Judge(this.ground, home);
    this.#judges.set(host, known);
    return known;
  }

  find(key: string): BoardRow | undefined {
    return this.list?.find((one) => one.key === key);
  }

  /** A new board; `id` is the caller's, so that asking again makes no second one. */
  async make(board: wire.NewBoard): Promise<BoardRow> {
    const made = await this.ground.wire.post<wire.Board>("/v1/boards", board);
    await this.load();
    return { ...made, key: toBase64url(made.id) };
  }

  async alter(key: string, change: wire.ChangeBoard): Promise<void> {
    await this.ground.wire.call("PATCH", `/v1/boards/${key}`, change);
    await this.load();
  }

  /** What another box says of a board of its; asked over Tor. */
  lookAt(address: string): Promise<RoomOffer> {
    const body: LookAtRoom = { address };
    return this.ground.wire.post("/v1/mirrors/look", body);
  }

  /** Mirror it. */
  async mirror(mirror: NewMirror): Promise<BoardRow> {
    const made = await this.ground.wire.post<wire.Board>("/v1/mirrors", mirror);
    await this.load();
    return { ...made, key: toBase64url(made.id) };
  }

  /** How it goes with the boards of other boxes. */
  async mirrors(): Promise<readonly Mirror[]> {
    return (await this.ground.wire.get<Mirrors>("/v1/mirrors")).mirrors;
  }

  /** Read the home of a mirror now. */
  async pull(key: string): Promise<void> {
    await this.ground.wire.post(`/v1/mirrors/${key}/pull`);
  }

  /** Delete a board with all in it; Refusal second_eyes where somebody else must agree. */
  async erase(key: string): Promise<void> {
    await this.ground.wire.remove(`/v1/boards/${key}`);
    await this.load();
  }

  /** Sign what one says and give it to the box. `id` is given where the same must not be said twice. */
  async say(
    key: string,
    what: Unsigned<wire.BoardValue>,
    id = random(16),
  ): Promise<wire.Submitted & { signed: Uint8Array }> {
    const { name, onion, identity, seed } = this.ground;
    const common = { v: wire.VERSION, id, board: octetsOf(key), sent: this.ground.now() };
    const signed = wire.writeSigned(seed, { ...common, name, onion, identity, ...what } as wire.BoardValue);
    const done = await this.ground.wire.post<wire.Submitted>(`/v1/boards/${key}/entries`, { signed });
    return { ...done, signed };
  }

  thank(key: string, post: string, back: boolean): Promise<Thanked> {
    const body: Thank = { log: octetsOf(key), entry: octetsOf(post) };
    return this.ground.wire.post(back ? "/v1/thanks/take-back" : "/v1/thanks", body);
  }

  /** Tell those who look after the box; `id` as for a new board. */
  report(key: string, post: string, why: Why, words: string, id: Uint8Array): Promise<unknown> {
    const report: NewReport = { id, why, words, log: octetsOf(key), entry: octetsOf(post) };
    return this.ground.wire.post("/v1/reports", report);
  }

  async versions(key: string, post: string): ReturnType<Judge["versions"]> {
    const found = await this.ground.wire.get<wire.Versions>(`/v1/boards/${key}/posts/${post}`);
    return this.judgeOf(key).versions(octetsOf(key), octetsOf(post), found.versions, found.authors);
  }

  /** What the word filter holds back: for moderators all, for others their own. */
  async held(key: string): ReturnType<Judge["held"]> {
    const found = await this.ground.wire.get<wire.Held>(`/v1/boards/${key}/held?limit=100`);
    return this.judgeOf(key).held(octetsOf(key), found.entries, found.authors);
  }

  /** A moderator lets through what waits, or removes it. */
  async decide(key: string, entry: string, act: "release" | "remove"): Promise<void> {
    await this.say(key, { kind: "moderate", target: octetsOf(entry), act });
    await this.load();
  }

  search(text: string, signal?: AbortSignal): Promise<Hits> {
    const path = `/v1/search?q=${encodeURIComponent(text)}&limit=50`;
    return this.ground.wire.get(path, signal ? { signal } : {});
  }

  /** The secret of one's feeds; a new one ends the old. */
  async feed(renew = false): Promise<string> {
    const { wire: way } = this.ground;
    return (await (renew ? way.post<wire.FeedLink>("/v1/feeds") : way.get<wire.FeedLink>("/v1/feeds")))
      .secret;
  }

  /** Be told when the log of a board has grown; ends what it returns. */
  hear(key: string, hearer: Hearer): () => void {
    const all = this.#hearers.get(key) ?? new Set();
    this.#hearers.set(key, all.add(hearer));
    return () => all.delete(hearer);
  }

  /** Change marks or drafts, here at once and in the vault soon. */
  change(step: (now: marks.BoardsRecord) => marks.BoardsRecord): void {
    const next = step(this.record);
    if (next === this.record) return;
    this.record = next;
    this.ground.change((now) => step(now ?? marks.NONE));
  }

  /** A thread was read up to a number. */
  mark(key: string, thread: string, mark: marks.Mark): void {
    const before = this.record;
    this.change((now) => marks.withMark(now, key, thread, mark));
    if (this.record !== before) this.#countSoon(key);
  }

  /** Everything on a board counts as read. */
  async markAll(key: string): Promise<void> {
    await this.load();
    const last = this.find(key)?.last;
    if (last === undefined) return;
    this.change((now) => marks.withBase(now, key, last));
    this.#countSoon(key);
  }

  #heard(event: Event): void {
    if (event.kind === "hello" || event.kind === "reset")
      void this.#watch()
        .then(() => this.load())
        .then(() => this.#tellAll())
        .catch(() => undefined);
    const { log } = event;
    if (event.kind !== "log" || !log) return;
    const key = toBase64url(log.log);
    if (!this.find(key)) return;
    this.list = this.list!.map((one) => (one.key === key ? { ...one, last: log.last } : one));
    for (const hearer of this.#hearers.get(key) ?? []) hearer(log);
    this.#countSoon(key);
  }

  /** News may have been lost: whoever shows a board looks for himself. */
  #tellAll(): void {
    for (const { key, id, last } of this.list ?? [])
      for (const hearer of this.#hearers.get(key) ?? []) hearer({ log: id, last });
  }

  async #watch(): Promise<void> {
    const body: WatchLogs = { logs: (this.list ?? []).map((one) => one.id) };
    await this.ground.wire.post("/v1/logs/watch", body);
  }

  async #reread(): Promise<void> {
    this.record = (await this.ground.read()) ?? marks.NONE;
    this.#counted = {};
    if (this.list) await this.#count();
  }

  #countSoon(key: string): void {
    delete this.#counted[key];
    clearTimeout(this.#soon);
    this.#soon = setTimeout(() => void this.#count().catch(() => undefined), TOGETHER);
  }

  /** Look at the newest threads of boards that have grown, and count those with something new. */
  async #count(): Promise<void> {
    for (const { key, last } of this.list ?? []) {
      const { base } = marks.marksOf(this.record, key);
      if (this.#counted[key] === last) continue;
      this.#counted[key] = last;
      if (last <= base) this.#note(key, { threads: 0, more: false });
      else await this.#look(key).catch(() => delete this.#counted[key]);
    }
    const all = Object.values(this.fresh);
    news.unread = all.reduce((sum, one) => sum + one.threads, 0);
  }

  async #look(key: string): Promise<void> {
    const page = await this.ground.wire.get<wire.Threads>(`/v1/boards/${key}/threads?limit=${LOOKED_AT}`);
    const known = marks.marksOf(this.record, key);
    const seen = new Map([...page.pinned, ...page.threads].map((one) => [toBase64url(one.thread), one]));
    const unread = [...seen].filter(([thread, one]) => marks.unreadIn(known, thread, one) > 0);
    const oldest = page.threads.at(-1);
    const beyond = page.more && oldest !== undefined && oldest.last > known.base;
    this.#note(key, { threads: unread.length, more: beyond });
    // All was read: one number says so for the whole board.
    if (unread.length === 0 && !beyond) this.change((now) => marks.withBase(now, key, page.last));
  }

  #note(key: string, fresh: Fresh): void {
    this.fresh = { ...this.fresh, [key]: fresh };
  }
}

const desks = new WeakMap<Ground, BoardsDesk>();
let present: BoardsDesk | undefined;

/** The boards of whoever is signed in; the ones before are let go. */
export function deskOf(ground: Ground): BoardsDesk {
  let desk = desks.get(ground);
  if (!desk) desks.set(ground, (desk = new BoardsDesk(ground)));
  if (present !== desk) present?.stop();
  present = desk;
  return desk;
}
