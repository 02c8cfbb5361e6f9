/** Boards: marks that only go forwards, posts that are whose they say, and threads that load both ways and follow what arrives. */
import { afterEach, describe, expect, test, vi } from "vitest";
import { resetGround, type FakeGround } from "../../dev/ground.ts";
import { digestSigned, writeSigned, type Thread } from "../../src/protocol/board.ts";
import { signingPublic } from "../../src/protocol/keys.ts";
import { BoardsDesk } from "../../src/state/boards/desk.svelte.ts";
import { Judge } from "../../src/state/boards/judging.ts";
import * as marks from "../../src/state/boards/marks.ts";
import { news } from "../../src/state/boards/news.svelte.ts";
import { OneBoard } from "../../src/state/boards/board.svelte.ts";
import { OneThread } from "../../src/state/boards/thread.svelte.ts";

const thread = (last: number, posts: number): Pick<Thread, "last" | "posts"> => ({ last, posts });
// Every post is signed and checked for real, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 30_000 });

let ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends) end();
  ends = [];
});

async function opened(wishes = ""): Promise<{ ground: FakeGround; desk: BoardsDesk; board: string }> {
  const ground = resetGround(new URLSearchParams(wishes));
  const desk = new BoardsDesk(ground);
  ends.push(() => desk.stop());
  await desk.start();
  return { ground, desk, board: desk.list?.[0]?.key ?? "" };
}

async function threadOf(desk: BoardsDesk, board: string, subject: string): Promise<OneThread> {
  const one = new OneBoard(desk, board);
  await one.refresh();
  const row = [...one.pinned, ...one.threads].find((each) => each.subject.startsWith(subject))!;
  one.close();
  const made = new OneThread(desk, board, row.key);
  ends.push(() => made.close());
  return made;
}

describe("marks", () => {
  test("a mark goes forwards only, and what is read is not unread", () => {
    const one = marks.withMark(marks.NONE, "b", "t", [7, 3]);
    expect(marks.withMark(one, "b", "t", [5, 2])).toBe(one);
    const now = marks.marksOf(one, "b");
    expect(marks.readTo(now, "t")).toBe(7);
    expect(marks.unreadIn(now, "t", thread(7, 3))).toBe(0);
    expect(marks.unreadIn(now, "t", thread(12, 5))).toBe(2);
    expect(marks.unreadIn(now, "other", thread(3, 3))).toBe(3);
  });

  test("a base takes the marks below it away and counts for every thread", () => {
    let record = marks.withMark(marks.NONE, "b", "old", [4, 2]);
    record = marks.withMark(record, "b", "new", [90, 2]);
    record = marks.withBase(record, "b", 50);
    expect(Object.keys(marks.marksOf(record, "b").threads)).toEqual(["new"]);
    expect(marks.unreadIn(marks.marksOf(record, "b"), "old", thread(40, 9))).toBe(0);
    expect(marks.withBase(record, "b", 20)).toBe(record);
  });

  test("there are never more marks and drafts than fit", () => {
    let record = marks.NONE;
    for (let at = 1; at <= 500; at++) record = marks.withMark(record, "b", `t${at}`, [at, 1]);
    expect(Object.keys(marks.marksOf(record, "b").threads).length).toBe(400);
    expect(marks.readTo(marks.marksOf(record, "b"), "t500")).toBe(500);
    for (let at = 0; at < 80; at++) record = marks.withDraft(record, `b/${at}`, { subject: "", body: "x" });
    expect(Object.keys(record.drafts).length).toBe(50);
    record = marks.withDraft(record, "b/79", { subject: "", body: "" });
    expect(record.drafts).not.toHaveProperty("b/79");
    expect(marks.withoutOthers(record, new Set(["c"]))).toEqual(marks.NONE);
  });
});

describe("the desk", () => {
  test("counts threads with something new, and none once all was read", async () => {
    const { desk, board, ground } = await opened();
    expect(desk.fresh[board]).toEqual({ threads: 3, more: false });
    expect(news.unread).toBe(4);
    await desk.markAll(board);
    await vi.waitFor(() => expect(desk.fresh[board]!.threads).toBe(0));
    ground.say(ground.boards.get(board)!, "marta", { kind: "post", subject: "News", body: "x" });
    await vi.waitFor(() => expect(desk.fresh[board]!.threads).toBe(1));
    expect(ground.record!.marks[board]!.base).toBeGreaterThan(0);
  });

  test("a box without boards has an empty list", async () => {
    const { desk } = await opened("empty");
    expect(desk.list).toEqual([]);
  });

  test("what cannot be loaded is said", async () => {
    const ground = resetGround();
    ground.wire.get = () => Promise.reject({ code: "locked" });
    const desk = new BoardsDesk(ground);
    await desk.start();
    expect(desk.problem?.code).toBe("locked");
  });
});

describe("a thread", () => {
  test("shows who signed, and nothing of what is not genuine", async () => {
    const { desk, board } = await opened();
    const one = await threadOf(desk, board, "Winter");
    await one.open();
    expect(one.posts.map((post) => post.proof)).toEqual(["signed", "signed", "signed", "signed", "false"]);
    expect(one.posts.at(-1)!.body).toBe("");
    expect(one.posts.at(-1)!.name).toBe("");
  });

  test("an author whose identity this account knows otherwise is not believed", async () => {
    const { desk, board, ground } = await opened();
    ground.known = () => new Map([["jonas", new Uint8Array(32)]]);
    const one = await threadOf(desk, board, "Winter");
    await one.open();
    expect(one.posts.map((post) => [post.name, post.proof])).toContainEqual(["", "false"]);
    expect(one.posts.some((post) => post.name === "jonas")).toBe(false);
  });

  test("what the box vouches for says so, and only who wrote something changes it", async () => {
    const box = new Uint8Array(32).fill(7);
    const { desk, ground } = await opened();
    const own = { ...ground, onion: signingPublic(box), now: () => 5, known: () => new Map() };
    const judge = new Judge(own as unknown as FakeGround);
    const id = new Uint8Array(16).fill(1);
    const common = { v: 1, board: id, sent: 5, name: "noura", onion: own.onion };
    const post = writeSigned(box, { ...common, id, kind: "post", subject: "S", body: "B" });
    const edit = (seed: Uint8Array, by: object): Uint8Array =>
      writeSigned(seed, {
        ...{ ...common, ...by, id: new Uint8Array(16), kind: "edit", target: id },
        ...{ previous: digestSigned(post), body: "Changed" },
      });
    const judged = async (changed: Uint8Array | null): Promise<unknown> => {
      const view = { number: 1, id, hour: 0, post, edit: changed, edits: 0, own: false, removed: null };
      return (await judge.posts(id, id, [view], []))[0];
    };
    expect(await judged(null)).toMatchObject({ proof: "vouched", name: "noura", body: "B" });
    expect(await judged(edit(box, {}))).toMatchObject({ proof: "vouched", body: "Changed" });
    expect(await judged(edit(ground.seed, { identity: ground.identity }))).toMatchObject({ proof: "false" });
    expect(await judged(edit(box, { name: "marta" }))).toMatchObject({ proof: "false", body: "" });
    const chain = await judge.versions(id, id, [post, edit(box, {}), edit(box, {})], []);
    expect(chain.map((one) => one.proof)).toEqual(["vouched", "vouched", "false"]);
    expect(desk.list?.length).toBe(3);
  });

  test("opens where one stopped reading, and loads both ways without gaps", async () => {
    const { desk, board } = await opened("long");
    const one = await threadOf(desk, board, "A log");
    const first = (await one.open())!;
    expect(one.posts[0]!.id).toBe(first);
    expect([one.older, one.newer]).toEqual(["none", "more"]);
    one.seen(one.posts[29]!.id);
    one.close();

    const again = await threadOf(desk, board, "A log");
    const at = await again.open();
    expect(again.posts.findIndex((post) => post.id === at)).toBe(8);
    expect(again.older).toBe("more");
    while (again.newer === "more") await again.loadNewer();
    while (again.older === "more") await again.loadOlder();
    expect(again.posts.length).toBe(71);
    const numbers = again.posts.map((post) => post.number);
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    again.seen(again.posts.at(-1)!.id);
    expect(marks.unreadIn(marks.marksOf(desk.record, board), again.key, again.head!)).toBe(0);
  });

  test("what arrives is added at the end only where the end is loaded", async () => {
    const { desk, board, ground } = await opened("long");
    const one = await threadOf(desk, board, "A log");
    await one.open();
    const before = one.posts.length;
    const there = ground.boards.get(board)!;
    const say = (): number =>
      ground.say(there, "marta", { kind: "post", body: "Land!", thread: one.head!.thread });
    say();
    await vi.waitFor(() => expect(one.head!.posts).toBe(72));
    expect(one.posts.length).toBe(before);
    await one.toNewest();
    say();
    await vi.waitFor(() => expect(one.head!.posts).toBe(73));
    expect(one.posts.at(-1)!.body).toBe("Land!");
  });

  test("an answer stands there at once, and goes when the box refuses it", async () => {
    const { desk, board, ground } = await opened();
    const one = await threadOf(desk, board, "Has anybody");
    await one.open();
    const going = one.answer("It is mine.", "");
    expect(one.all.at(-1)!.sending).toBe(true);
    await going;
    expect(one.all.at(-1)).toMatchObject({ body: "It is mine.", own: true, proof: "signed" });
    expect(one.sending).toEqual([]);
    ground.refuse = "thread_locked";
    await expect(one.answer("And this?", "")).rejects.toMatchObject({ code: "thread_locked" });
    expect(one.all.some((post) => post.body === "And this?")).toBe(false);
    ground.refuse = "";
  });

  test("an edit is a version after the one before; all of them can be read", async () => {
    const { desk, board } = await opened();
    const one = await threadOf(desk, board, "Has anybody");
    await one.open();
    const own = one.posts.find((post) => post.own)!;
    await one.edit(own, "There were two.", "");
    const now = one.posts.find((post) => post.id === own.id)!;
    expect(now).toMatchObject({ body: "There were two.", edits: 1, proof: "signed" });
    const versions = await desk.versions(board, own.id);
    expect(versions.map((one) => [one.body, one.proof])).toEqual([
      ["There is one on the beach behind the church.", "signed"],
      ["There were two.", "signed"],
    ]);
    await one.remove(now);
    expect(one.posts.find((post) => post.id === own.id)).toMatchObject({ body: "", removed: "author" });
  });

  test("what a moderator does elsewhere is seen here", async () => {
    const { desk, board, ground } = await opened();
    const one = await threadOf(desk, board, "Has anybody");
    await one.open();
    const there = ground.boards.get(board)!;
    ground.say(there, "marta", { kind: "moderate", target: one.head!.thread, act: "lock" });
    await vi.waitFor(() => expect(one.head!.locked).toBe(true));
    await one.moderate("unlock");
    expect(one.head!.locked).toBe(false);
    ground.say(there, "marta", { kind: "moderate", target: one.head!.thread, act: "remove_thread" });
    await vi.waitFor(() => expect(one.problem?.code).toBe("no_thread"));
  });
});
