/** Stands for what the boards stand on, in development and in tests: a fake box whose posts are signed and checked for real. */
import { signEntry } from "../src/protocol/prekeys.ts";
import { toBase64url } from "../src/protocol/base64url.ts";
import {
  readSigned,
  writeSigned,
  type Board,
  type BoardValue,
  type Edit,
  type Post,
  type PostView,
  type Thread,
} from "../src/protocol/board.ts";
import { hash, signingPublic } from "../src/protocol/keys.ts";
import { readPerson } from "../src/protocol/names.ts";
import type { Event } from "../src/protocol/post.ts";
import { Refusal } from "../src/state/api.ts";
import type { Ground } from "../src/state/boards/ground.ts";
import { octetsOf } from "../src/state/boards/keys.ts";
import { NONE, type BoardsRecord } from "../src/state/boards/marks.ts";
import { onion } from "./onions.mjs";
import { BOARDS, LONG, THREADS, type Scene } from "./boards.ts";

const HOST = onion(1);
const ONION = readPerson(`ada@${HOST}`)!.onion;
const NAMES = ["ada", "marta", "jonas", "noura"];
const seedOf = (name: string): Uint8Array => hash(new TextEncoder().encode(`fake ${name}`));
/** The key of the box whose board can be mirrored. */
export const FAR = signingPublic(seedOf("a far box"));
const idOf = (label: string): Uint8Array => seedOf(label).slice(0, 16);

interface Kept {
  number: number;
  post: Uint8Array | null;
  id: Uint8Array;
  thread: string;
  name: string;
  sent: number;
  versions: Uint8Array[];
  removed: PostView["removed"];
}

/** What a board's log has. */
class FakeBoard {
  last = 0;
  readonly posts: Kept[] = [];
  readonly flags = new Map<string, { pinned: boolean; locked: boolean; subject: string }>();

  constructor(public about: Board) {}

  add(signed: Uint8Array, post: Post): number {
    const thread = toBase64url(post.thread ?? post.id);
    if (!post.thread) this.flags.set(thread, { pinned: false, locked: false, subject: post.subject ?? "" });
    const number = ++this.last;
    const { id, name, sent } = post;
    this.posts.push({ number, post: signed, id, thread, name, sent, versions: [], removed: null });
    return number;
  }

  thread(key: string): Thread {
    const all = this.posts.filter((one) => one.thread === key);
    const [first, last] = [all[0], all.at(-1)];
    if (!first || !last) throw new Refusal("no_thread", "", 404);
    return {
      thread: octetsOf(key),
      number: first.number,
      ...this.flags.get(key)!,
      name: first.removed ? "" : first.name,
      posts: all.length,
      last: last.number,
      last_name: last.name,
      last_hour: Math.floor(last.sent / 3600),
    };
  }

  shown(): Board {
    return { ...this.about, threads: this.flags.size, posts: this.posts.length, last: this.last };
  }
}

export class FakeGround implements Ground {
  readonly name = "ada";
  readonly onion = ONION;
  readonly host = HOST;
  /** How it goes with mirrors. */
  mirror = { heard: 1_700_000_000 as number | null, behind: 0, skipped: 0, problem: null as string | null };
  readonly seed = seedOf("ada");
  readonly identity = signingPublic(this.seed);
  readonly boards = new Map<string, FakeBoard>();
  record: BoardsRecord | undefined;
  /** Code of the refusal that the next post meets, or "". */
  refuse = "";
  readonly #listeners = new Set<(event: Event) => void>();

  constructor(wishes: URLSearchParams) {
    if (wishes.has("empty")) return;
    for (const [title, about] of BOARDS) this.make({ id: idOf(title), title, about });
    for (const scene of THREADS) this.#play(scene);
    if (wishes.has("long")) this.#play({ board: 0, subject: LONG, ago: 86_400, by: "jonas", posts: 70 });
    const lobby = [...this.boards.values()][0]!;
    this.record = {
      ...NONE,
      marks: { [toBase64url(lobby.about.id)]: { base: 0, threads: { [lobby.posts[0]!.thread]: [2, 2] } } },
    };
  }

  now(): number {
    return Math.floor(Date.now() / 1000);
  }
  known(host: string): ReadonlyMap<string, Uint8Array> {
    return new Map(host === this.host ? [[this.name, this.identity]] : []);
  }
  read(): Promise<BoardsRecord | undefined> {
    return Promise.resolve(this.record);
  }
  change(step: (now: BoardsRecord | undefined) => BoardsRecord): void {
    this.record = step(this.record);
  }
  hear(event: (event: Event) => void): () => void {
    this.#listeners.add(event);
    return () => this.#listeners.delete(event);
  }

  make(board: { id: Uint8Array; title: string } & Partial<Board>): Board {
    const about: Board = {
      ...{
        about: "",
        days: 90,
        most: 200_000,
        realtime: true,
        posters: "member",
        karma: 0,
        slow: 0,
        order: 0,
      },
      ...{ closed: false, peers: [], home: null, made_hour: 0, threads: 0, posts: 0, last: 0 },
      ...board,
    };
    this.boards.set(toBase64url(board.id), new FakeBoard(about));
    return about;
  }

  /** Somebody says something on a board; ends in its number. */
  say(board: FakeBoard, by: string, what: object, sent = this.now()): number {
    const common = { v: 1, id: hash(new TextEncoder().encode(`${by}${board.last}${sent}`)).slice(0, 16) };
    const whole = {
      ...common,
      board: board.about.id,
      sent,
      name: by,
      onion: board.about.home ?? ONION,
      ...what,
    };
    const value = { ...whole, identity: signingPublic(seedOf(by)) } as BoardValue;
    return this.#take(board, writeSigned(seedOf(by), value), value);
  }

  readonly wire = {
    get: <T>(path: string): Promise<T> => this.#answer<T>("GET", path),
    post: <T>(path: string, body: object = {}): Promise<T> => this.#answer<T>("POST", path, body),
    remove: <T>(path: string): Promise<T> => this.#answer<T>("DELETE", path),
    call: <T>(method: string, path: string, body: object = {}): Promise<T> =>
      this.#answer<T>(method, path, body),
  };

  async #answer<T>(method: string, path: string, body: object = {}): Promise<T> {
    await new Promise((done) => setTimeout(done, 30));
    const url = new URL(path, "http://box");
    const parts = url.pathname.split("/").slice(2);
    return this.#route(method, parts, url.searchParams, body as never) as T;
  }

  #route(method: string, parts: string[], query: URLSearchParams, body: Record<string, never>): unknown {
    const [what, key = "", part, id = ""] = parts;
    if (what === "feeds") return { secret: "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXM" };
    if (what === "thanks") return { thanks: key ? 0 : 1, mine: !key };
    if (what === "search") return this.#search(query.get("q") ?? "");
    if (what === "mirrors") return this.#mirror(method, key, body as never);
    if (what !== "boards") return {};
    if (!key && method === "GET") return { boards: [...this.boards.values()].map((one) => one.shown()) };
    if (!key) return this.make(body as never);
    const board = this.boards.get(key);
    if (!board) throw new Refusal("no_board", "", 404);
    if (method === "DELETE") return this.boards.delete(key);
    if (method === "PATCH") return (board.about = { ...board.about, ...body });
    if (part === "entries") {
      if (this.refuse) throw new Refusal(this.refuse, "", this.refuse === "offline" ? 0 : 403);
      const { value } = readSigned(body["signed"]!);
      return { number: this.#take(board, body["signed"]!, value), held: false };
    }
    if (part === "held") return { entries: [], more: false, authors: [] };
    if (part === "posts") {
      const post = board.posts.find((one) => toBase64url(one.id) === id)!;
      return { versions: [post.post, ...post.versions], authors: this.#authors(board) };
    }
    return id ? this.#posts(board, id, query) : this.#threads(board, query);
  }

  /** One board of another box can be mirrored, by any address; `refuse` is what its box answers. */
  #mirror(method: string, part: string, body: { days?: number }): unknown {
    const [room, title, about] = [idOf("far"), "Lighthouses", "Lamps and lenses."];
    const mirrors = [...this.boards.values()].filter((one) => one.about.home);
    if (method === "GET")
      return {
        mirrors: mirrors.map((one) => ({ board: one.about.id, home: FAR, ...this.mirror })),
      };
    if (this.refuse) throw new Refusal(this.refuse, "", 404);
    if (part === "look") return { home: FAR, room, title, about, days: 60, threads: 1, posts: 2 };
    if (part) return {};
    const made = this.make({ id: room, title, about, days: body.days ?? 90, home: FAR });
    const board = this.boards.get(toBase64url(room))!;
    const number = this.say(board, "jonas", { kind: "post", subject: "A new lamp", body: "It **turns**." });
    const thread = board.posts.find((one) => one.number === number)!.id;
    this.say(board, "marta", { kind: "post", thread, body: "At last." }, this.now() + 1);
    return made;
  }

  #threads(board: FakeBoard, query: URLSearchParams): unknown {
    const before = Number(query.get("before") ?? Infinity);
    const all = [...board.flags.keys()].map((key) => board.thread(key)).toSorted((a, b) => b.last - a.last);
    const plain = all.filter((one) => !one.pinned && one.last < before);
    const limit = Number(query.get("limit"));
    const pinned = query.has("before") ? [] : all.filter((one) => one.pinned);
    return { pinned, threads: plain.slice(0, limit), more: plain.length > limit, last: board.last };
  }

  #posts(board: FakeBoard, key: string, query: URLSearchParams): unknown {
    const thread = board.thread(key);
    const limit = Number(query.get("limit"));
    const [after, before] = [Number(query.get("after") ?? 0), query.get("before")];
    const all = board.posts.filter((one) => one.thread === key);
    const found = before
      ? all.filter((one) => one.number < Number(before))
      : all.filter((one) => one.number > after);
    const kept = before ? found.slice(-limit) : found.slice(0, limit);
    const posts: PostView[] = kept.map((one) => ({
      number: one.number,
      id: one.id,
      hour: Math.floor(one.sent / 3600),
      post: one.post,
      edit: one.post ? (one.versions.at(-1) ?? null) : null,
      edits: one.versions.length,
      own: one.name === this.name,
      removed: one.removed,
    }));
    return {
      board: board.about.id,
      thread,
      posts,
      more: found.length > limit,
      authors: this.#authors(board),
    };
  }

  #search(text: string): unknown {
    const wanted = text.toLowerCase();
    const hits = [...this.boards.values()].flatMap((board) =>
      board.posts.flatMap((one) => {
        const signed = one.versions.at(-1) ?? one.post;
        const body = signed ? (readSigned(signed).value as Post | Edit).body : "";
        if (!body.toLowerCase().includes(wanted)) return [];
        const { number, id, name, thread } = one;
        const { subject } = board.flags.get(thread)!;
        const hour = Math.floor(one.sent / 3600);
        const excerpt = body.slice(0, 160);
        return [
          { board: board.about.id, thread: octetsOf(thread), id, number, subject, name, hour, excerpt },
        ];
      }),
    );
    return { hits: hits.slice(0, 50), behind: 0, partial: false };
  }

  #authors({ about }: FakeBoard): Uint8Array[] {
    return NAMES.map((name) => {
      const seed = seedOf(name);
      const entry = {
        version: 1,
        name,
        onion: about.home ?? ONION,
        identity: signingPublic(seed),
        revision: 1,
      };
      return signEntry(seed, { ...entry, issued_hour: 0, devices: [] });
    });
  }

  #take(board: FakeBoard, signed: Uint8Array, value: BoardValue): number {
    if (value.kind === "post") return this.#told(board, board.add(signed, value), signed);
    if (!("target" in value)) return ++board.last;
    const target = toBase64url(value.target);
    const at = board.posts.findIndex((one) => toBase64url(one.id) === target);
    const post = board.posts[at];
    const flags = board.flags.get(target);
    if (value.kind === "edit" && post) post.versions.push(signed);
    const act = value.kind === "moderate" ? value.act : value.kind;
    if ((act === "remove" || act === "delete") && post)
      Object.assign(post, { post: null, removed: act === "remove" ? "moderator" : "author" });
    if (flags && act.endsWith("pin")) flags.pinned = act === "pin";
    if (flags && act.endsWith("lock")) flags.locked = act === "lock";
    if (act === "remove_thread") {
      board.flags.delete(target);
      board.posts.splice(0, board.posts.length, ...board.posts.filter((one) => one.thread !== target));
    }
    return this.#told(board, ++board.last, signed);
  }

  /** Whoever listens hears that the log has grown. */
  #told(board: FakeBoard, number: number, signed: Uint8Array): number {
    const { value } = readSigned(signed);
    const kind = { post: 1, edit: 2, delete: 3, moderate: 4, event: 5 }[value.kind];
    const entry = { number, id: value.id, kind, hour: 0, body: signed, removed: null, until: null };
    const log = { log: board.about.id, last: board.last, entries: [entry] };
    for (const listener of this.#listeners) listener({ number: 0, kind: "log", log });
    return number;
  }

  #play({ board, subject, ago, by, body, answers = [], pinned, posts = 0, forged }: Scene): void {
    const fake = [...this.boards.values()][board]!;
    const begun = this.now() - ago;
    const words = body ?? "It begins here.";
    const number = this.say(fake, by, { kind: "post", subject, body: words }, begun);
    const first = fake.posts.find((one) => one.number === number)!;
    const thread = first.id;
    if (pinned) fake.flags.get(first.thread)!.pinned = true;
    answers.forEach(([name, answer], at) =>
      this.say(
        fake,
        name,
        { kind: "post", thread, body: answer, reply: at > 0 ? thread : undefined },
        begun + 600 * (at + 1),
      ),
    );
    for (let at = 0; at < posts; at++)
      this.say(fake, NAMES[at % 4]!, { kind: "post", thread, body: `Day ${at + 1} at sea.` }, begun + at);
    // Signed by somebody else than it says.
    if (forged) {
      const value = {
        kind: "post",
        v: 1,
        id: idOf("forged"),
        board: fake.about.id,
        sent: begun,
        name: "marta",
      };
      const whole = { ...value, onion: ONION, identity: signingPublic(seedOf("eve")), thread, body: forged };
      fake.add(writeSigned(seedOf("eve"), whole as Post), whole as Post);
    }
  }
}

let present = new FakeGround(new URLSearchParams(globalThis.location?.search ?? ""));

/** What the pages use. */
export function ground(): FakeGround {
  return present;
}

/** Begin anew: for the tests. */
export function resetGround(wishes: URLSearchParams = new URLSearchParams()): FakeGround {
  present = new FakeGround(wishes);
  return present;
}
