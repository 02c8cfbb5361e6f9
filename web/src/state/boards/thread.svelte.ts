/**
 * One thread: a stretch of its posts without gaps, which grows at both ends. What arrives is added only where the
 * stretch reaches the newest post, so that nothing moves for whoever reads further up. Owner: the page that shows it.
 */
import { toBase64url } from "../../protocol/base64url.ts";
import { digestSigned, ENTRY_KINDS, type Posts, parseSigned, type Thread } from "../../protocol/board.ts";
import type { LogEntry, LogNews } from "../../protocol/log.ts";
import type { Refusal } from "../api.ts";
import { random } from "../random.ts";
import { asRefusal } from "../wire.ts";
import type { BoardsDesk } from "./desk.svelte.ts";
import type { Shown } from "./judging.ts";
import { octetsOf } from "./keys.ts";
import { marksOf, readTo } from "./marks.ts";

export type Edge = "none" | "more" | "loading";

const PAGE = 30;
/** Posts before the place one comes to. */
const CONTEXT = 8;
const NEWEST = 2 ** 48;
const TOGETHER = 150;

export class OneThread {
  head = $state.raw<Thread | undefined>();
  posts = $state.raw<readonly Shown[]>([]);
  older = $state<Edge>("none");
  newer = $state<Edge>("none");
  /** The number up to which it was read when it was opened. */
  readonly begun: number;
  problem = $state.raw<Refusal | undefined>();
  /** Posts on their way to the box; they stand behind the others. */
  sending = $state.raw<readonly Shown[]>([]);
  /** Thanks that were given or counted while it is open, by post. */
  thanks = $state.raw<Readonly<Record<string, { thanks: number; mine: boolean }>>>({});
  readonly #end: () => void;
  #soon: ReturnType<typeof setTimeout> | undefined;
  #stale = new Set<number>();
  /** What failed last, and its id: said again it may be there already. */
  #failed: { words: string; id: Uint8Array<ArrayBuffer> } | undefined;
  #closed = false;

  constructor(
    readonly desk: BoardsDesk,
    readonly board: string,
    readonly key: string,
  ) {
    this.begun = readTo(marksOf(desk.record, board), key);
    this.#end = desk.hear(board, (news) => this.#heard(news));
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#soon);
    this.#end();
  }

  /** Everything that is shown, in order. */
  get all(): readonly Shown[] {
    if (this.sending.length === 0 || this.newer !== "none") return this.posts;
    const known = new Set(this.posts.map((one) => one.id));
    return [...this.posts, ...this.sending.filter((one) => !known.has(one.id))];
  }

  /** The first post that was not read, if it is loaded. */
  get firstUnread(): Shown | undefined {
    return this.begun === 0 ? undefined : this.posts.find((one) => one.number > this.begun && !one.own);
  }

  /** Open it where a number says, or where one stopped reading; the post to be shown first, or none for the newest. */
  async open(at = 0): Promise<string | undefined> {
    const from = at || (this.begun > 0 ? this.begun + 1 : 1);
    try {
      const page = await this.#read(`after=${from - 1}`);
      if (page.shown.length === 0) return await this.toNewest();
      const before = from > 1 ? await this.#read(`before=${from}`, CONTEXT) : undefined;
      this.posts = [...(before?.shown ?? []), ...page.shown];
      this.older = before?.more ? "more" : "none";
      this.newer = page.more ? "more" : "none";
      this.problem = undefined;
      return page.shown[0]!.id;
    } catch (error) {
      this.problem = asRefusal(error);
      return undefined;
    }
  }

  /** Show the last posts. */
  async toNewest(): Promise<undefined> {
    if (this.posts.length > 0 && this.newer === "none") return;
    const page = await this.#read(`before=${NEWEST}`);
    this.posts = page.shown;
    this.older = page.more ? "more" : "none";
    this.newer = "none";
    this.problem = undefined;
  }

  async loadOlder(): Promise<void> {
    const first = this.posts[0];
    if (this.older !== "more" || !first) return;
    this.older = "loading";
    try {
      const page = await this.#read(`before=${first.number}`);
      this.posts = [...page.shown, ...this.posts];
      this.older = page.more ? "more" : "none";
    } catch (error) {
      this.older = "more";
      throw asRefusal(error);
    }
  }

  async loadNewer(): Promise<void> {
    if (this.newer !== "more") return;
    this.newer = "loading";
    try {
      await this.#append();
    } catch (error) {
      this.newer = "more";
      throw asRefusal(error);
    }
  }

  /** Answer, in the thread. It stands there at once; when it fails it goes, and the words are the caller's again. */
  async answer(body: string, reply: string): Promise<{ held: boolean }> {
    const words = `${reply} ${body}`;
    const id = this.#failed?.words === words ? this.#failed.id : random(16);
    const { name } = this.desk.ground;
    const now = this.desk.ground.now();
    const waiting: Shown = {
      ...{ id: toBase64url(id), number: NEWEST, hour: Math.floor(now / 3600), sent: now, name },
      ...{ subject: "", body, reply, edits: 0, own: true, removed: null, proof: "signed", newest: null },
      sending: true,
    };
    this.sending = [...this.sending, waiting];
    try {
      const thread = octetsOf(this.key);
      const to = reply ? { reply: octetsOf(reply) } : {};
      const { held } = await this.desk.say(this.board, { kind: "post", body, thread, ...to }, id);
      this.#failed = undefined;
      if (!held) await this.toNewest().then(() => this.#append());
      return { held };
    } catch (error) {
      this.#failed = { words, id };
      throw asRefusal(error);
    } finally {
      this.sending = this.sending.filter((one) => one !== waiting);
    }
  }

  async edit(post: Shown, body: string, subject: string): Promise<void> {
    if (!post.newest) return;
    const own = {
      kind: "edit" as const,
      target: octetsOf(post.id),
      previous: digestSigned(post.newest),
      body,
    };
    try {
      await this.desk.say(this.board, subject ? { ...own, subject } : own);
    } finally {
      // Also when it was changed elsewhere meanwhile: then that is what one must see.
      await this.#reload([post.number]).catch(() => undefined);
    }
  }

  async remove(post: Shown): Promise<void> {
    await this.desk.say(this.board, { kind: "delete", target: octetsOf(post.id) });
    await this.#reload([post.number]);
  }

  /** Pin, lock and so on: the thread, or with "remove" one post. */
  async moderate(act: "pin" | "unpin" | "lock" | "unlock" | "remove_thread"): Promise<void>;
  async moderate(act: "remove", post: Shown, reason: string): Promise<void>;
  async moderate(act: string, post?: Shown, reason = ""): Promise<void> {
    const target = octetsOf(post?.id ?? this.key);
    const why = reason ? { reason } : {};
    await this.desk.say(this.board, { kind: "moderate", target, act: act as "pin", ...why });
    if (act !== "remove_thread") await this.#reload([post?.number ?? this.head?.number ?? 1]);
  }

  async thank(post: Shown): Promise<void> {
    const done = await this.desk.thank(this.board, post.id, this.thanks[post.id]?.mine ?? false);
    this.thanks = { ...this.thanks, [post.id]: done };
  }

  /** What was in view last: everything up to it is read. */
  seen(id: string): void {
    const at = this.posts.findIndex((one) => one.id === id);
    const post = this.posts[at];
    if (!post || !this.head) return;
    const behind = this.posts.length - 1 - at;
    const marks = marksOf(this.desk.record, this.board);
    const [before = 0, posts = 0] = marks.threads[this.key] ?? [];
    const read =
      this.newer === "none"
        ? this.head.posts - behind
        : this.older === "none"
          ? at + 1
          : posts + this.posts.filter((one) => one.number > before && one.number <= post.number).length;
    this.desk.mark(this.board, this.key, [post.number, Math.min(read, this.head.posts)]);
  }

  #heard({ last, entries }: LogNews): void {
    if (this.#closed) return;
    for (const entry of entries ?? []) this.#look(entry);
    // What came is not there, or too large: look at everything that is shown.
    if (!entries || (entries[0]?.number ?? last) > last)
      for (const one of this.posts) this.#stale.add(one.number);
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined;
      void this.#catchUp().catch(() => undefined);
    }, TOGETHER);
  }

  /** An entry that changes what is shown here: that has to be read again. */
  #look(entry: LogEntry): void {
    if (this.posts.some((one) => one.number === entry.number)) this.#stale.add(entry.number);
    if (!entry.body || entry.kind === ENTRY_KINDS.post) return;
    try {
      const { value } = parseSigned(entry.body).opened;
      if (!("target" in value)) return;
      const target = toBase64url(value.target);
      const post = this.posts.find((one) => one.id === target);
      if (post) this.#stale.add(post.number);
      else if (target === this.key) this.#stale.add(0);
    } catch {
      // Not for us to judge: it shows nothing.
    }
  }

  async #catchUp(): Promise<void> {
    const stale = [...this.#stale];
    this.#stale.clear();
    try {
      if (stale.length > 0) await this.#reload(stale);
      if (this.newer === "none") await this.#append();
      else await this.#read(`after=${NEWEST}`, 1);
    } catch (error) {
      const refusal = asRefusal(error);
      if (refusal.code === "no_thread" || refusal.code === "no_board") this.problem = refusal;
    }
  }

  /** Posts behind the last one that is loaded. */
  async #append(): Promise<void> {
    const last = this.posts.at(-1)?.number ?? 0;
    const page = await this.#read(`after=${last}`);
    // Two may have asked at once.
    const now = this.posts.at(-1)?.number ?? 0;
    const fresh = page.shown.filter((one) => one.number > now);
    if (fresh.length > 0) this.posts = [...this.posts, ...fresh];
    this.newer = page.more ? "more" : "none";
  }

  /** Posts that have changed, read again; number by number, or as one stretch when there are many. */
  async #reload(numbers: readonly number[]): Promise<void> {
    const wanted = numbers.filter((one) => one > 0);
    const first = Math.min(...wanted);
    const pages =
      wanted.length > 4
        ? [await this.#read(`after=${first - 1}`, 100)]
        : await Promise.all(wanted.map((one) => this.#read(`after=${one - 1}`, 1)));
    const found = new Map(pages.flatMap((page) => page.shown).map((one) => [one.id, one]));
    if (found.size > 0) this.posts = this.posts.map((one) => found.get(one.id) ?? one);
    else await this.#read(`after=${NEWEST}`, 1);
  }

  async #read(where: string, limit = PAGE): Promise<{ shown: Shown[]; more: boolean }> {
    const { desk, board, key } = this;
    const path = `/v1/boards/${board}/threads/${key}?${where}&limit=${limit}`;
    const page = await desk.ground.wire.get<Posts>(path);
    this.head = page.thread;
    const shown = await desk.judgeOf(board).posts(page.board, octetsOf(key), page.posts, page.authors);
    return { shown, more: page.more };
  }
}
