import { afterEach, expect, test, vi } from "vitest";
import { Refusal } from "../../src/state/api.ts";
import { FakeBox } from "./fake/box.ts";
import { closeAll, friends, join, quiet, until } from "./fake/people.ts";
import { seed } from "../vectors.ts";

afterEach(closeAll);

test("two strangers become contacts and talk", async () => {
  const box = new FakeBox();
  const ada = await join(box, "ada");
  const ben = await join(box, "ben");
  const chat = await ada.messenger.start(ben.address);
  await chat.send("hello ben");
  await until(() => ben.messenger.requests.length === 1);
  const request = ben.messenger.requests[0]!;
  expect(request.address).toBe(ada.address);
  expect(request.unread).toBe(1);
  expect(ben.messenger.unread).toBe(0);
  expect(chat.messages.at(-1)?.state).toBe("box");
  await request.accept();
  ben.messenger.open(request.id);
  await until(() => ben.texts(ada).join() === "hello ben");
  await request.send("hello ada");
  await until(() => ada.texts(ben).join() === "hello ben,hello ada");
  await until(() => request.messages.at(-1)?.state === "delivered");
  chat.markRead();
  await until(() => request.messages.at(-1)?.state === "read");
  expect(ada.messenger.unread).toBe(0);
});

test("what was read is settled with the change that saves it", async () => {
  const box = new FakeBox();
  const [ada, ben] = await friends(box);
  await quiet(ada, ben);
  ben.line.asked.length = 0;
  for (const text of ["one", "two"]) await ada.chat(ben)!.send(text);
  await until(() => ben.texts(ada).slice(-2).join() === "one,two");
  await until(() => box.queues.get(ben.messenger.me!.device)!.length === 0);
  expect(ben.line.asked).not.toContain("POST /v1/queue/settle");
});

test("what was read before a stranger was accepted is told when they are", async () => {
  const box = new FakeBox();
  const [ada, ben] = [await join(box, "ada"), await join(box, "ben")];
  const chat = await ada.messenger.start(ben.address);
  await chat.send("hello ben");
  await until(() => ben.messenger.requests.length === 1);
  const request = ben.messenger.requests[0]!;
  ben.messenger.open(request.id);
  await until(() => ben.texts(ada).length === 1);
  request.markRead();
  await until(() => request.unread === 0);
  expect(chat.messages.at(-1)?.state).toBe("box");
  await request.accept();
  await until(() => chat.messages.find((one) => one.text === "hello ben")?.state === "read");
});

test("replies, reactions, edits and deletions reach the other side", async () => {
  const [ada, ben] = await friends(new FakeBox());
  const mine = ada.chat(ben)!;
  const theirs = ben.chat(ada)!;
  const first = theirs.messages.find((one) => one.text === "hello ada")!;
  await mine.send("how are you", first.id);
  await until(() => theirs.messages.at(-1)?.reply === first.id);
  await mine.react(first.id, "❤");
  await until(() => theirs.messages.find((one) => one.id === first.id)?.reactions[0]?.emoji === "❤");
  await theirs.edit(first.id, "hello dear ada");
  await until(() => mine.messages.find((one) => one.id === first.id)?.text === "hello dear ada");
  expect(mine.messages.find((one) => one.id === first.id)?.edited).toBe(true);
  await theirs.remove(first.id, true);
  await until(() => mine.messages.find((one) => one.id === first.id)?.deleted === true);
  await expect(mine.edit(first.id, "not mine")).rejects.toMatchObject({ code: "wrong_state" });
});

test("a crash between saving and sending loses nothing and doubles nothing", async () => {
  const [ada, ben] = await friends(new FakeBox());
  ada.line.holdUp();
  await ada.chat(ben)!.send("on the edge");
  expect(ada.chat(ben)!.messages.at(-1)?.state).toBe("waiting");
  const again = await ada.reopened();
  again.messenger.open(again.messenger.conversations[0]!.id);
  await until(() => ben.texts(ada).includes("on the edge"));
  expect(ben.texts(ada).filter((text) => text === "on the edge")).toHaveLength(1);
  await until(() => again.texts(ben).at(-1) === "on the edge");
  await until(() => again.chat(ben)!.messages.at(-1)?.state === "delivered");
  await ben.chat(ada)!.send("got it");
  await until(() => again.texts(ben).at(-1) === "got it");
});

test("what was handed over has arrived, though the box lists it no more", async () => {
  const box = new FakeBox();
  const ada = await join(box, "ada");
  const ben = await join(box, "ben");
  const chat = await ada.messenger.start(ben.address);
  await chat.send("at your door");
  await until(() => chat.messages.at(-1)?.state === "box");
  await ada.messenger.core!.ledger.flush();
  box.ahead += 120;
  const again = await ada.reopened();
  again.messenger.open(again.messenger.conversations[0]!.id);
  await until(() => again.chat(ben)!.messages.at(-1)?.state === "box");
  const [account] = [...box.accounts.values()].filter((one) => one.name === "ada");
  expect(account!.dispatches.size).toBe(0);
});

test("answers that are lost change nothing: every request may be repeated", async () => {
  const [ada, ben] = await friends(new FakeBox());
  let left = 6;
  const often = (request: string): boolean =>
    (request === "POST /v1/vault" || request === "POST /v1/dispatch") && left-- > 0 && left % 2 === 0;
  ada.line.lose = often;
  for (const text of ["1", "2", "3"]) await ada.chat(ben)!.send(text);
  left = 6;
  ben.line.lose = often;
  for (const text of ["4", "5"]) await ben.chat(ada)!.send(text);
  for (const texts of [() => ben.texts(ada), () => ada.texts(ben)])
    await until(() => texts().sort().join() === "1,2,3,4,5,hello ada,hello ben");
  await until(() => ada.messenger.phase === "ready" && ben.messenger.phase === "ready");
});

test("a cut line loses and doubles nothing", async () => {
  const [ada, ben] = await friends(new FakeBox());
  ben.line.cut();
  await ada.chat(ben)!.send("while you were away");
  const sending = ben.chat(ada)!.send("written in the tunnel");
  await until(() => ben.messenger.phase === "offline");
  await until(() => ben.chat(ada)!.messages.at(-1)?.state === "sealed");
  ben.line.down = false;
  await sending;
  await until(() => ada.texts(ben).includes("written in the tunnel"));
  await until(() => ben.texts(ada).includes("while you were away"));
  expect(ben.messenger.phase).toBe("ready");
  expect(ben.texts(ada)).toHaveLength(4);
  expect(ada.texts(ben)).toHaveLength(4);
});

test("a message says by itself that nobody types it any more", async () => {
  const [ada, ben] = await friends(new FakeBox());
  const chat = ada.chat(ben)!;
  const signals = (): number => ada.line.asked.filter((one) => one === "POST /v1/signals").length;
  chat.setTyping(true);
  await until(() => ben.chat(ada)!.typing);
  await chat.send("there");
  chat.setTyping(false);
  await until(() => ben.texts(ada).includes("there"));
  expect(ben.chat(ada)!.typing).toBe(false);
  chat.setTyping(true);
  await until(() => ben.chat(ada)!.typing);
  expect(signals()).toBe(2);
});

test("a message to somebody whose box is off says where it waits", async () => {
  const box = new FakeBox();
  const [ada, ben] = await friends(box);
  box.away = true;
  await ada.chat(ben)!.send("for later");
  await until(() => ada.chat(ben)!.messages.at(-1)?.state === "relay");
  expect(ada.chat(ben)!.messages.at(-1)).toMatchObject({ until: 500_000, relays: 2 });
});

test("nothing is told to somebody who was not accepted, and a blocked one is not heard", async () => {
  const box = new FakeBox();
  const ada = await join(box, "ada");
  const ben = await join(box, "ben");
  const chat = await ada.messenger.start(ben.address);
  await chat.send("let me in");
  await until(() => ben.messenger.requests.length === 1);
  ben.line.dispatched.length = 0;
  ben.messenger.requests[0]!.markRead();
  await chat.send("please");
  await until(() => ben.messenger.requests[0]?.last?.text === "please");
  expect(ben.line.dispatched).toEqual([]);
  expect(chat.messages.every((one) => one.state === "box")).toBe(true);
  await ben.messenger.requests[0]!.block();
  await chat.send("hello?");
  await until(() => (box.queues.get(ben.messenger.me!.device) ?? []).length === 0);
  expect(ben.messenger.requests).toEqual([]);
  expect(ben.chat(ada)!.state).toBe("blocked");
  expect(ben.chat(ada)!.last?.text).toBe("please");
});

test("messages that disappear are gone from both vaults", async () => {
  const box = new FakeBox();
  const [ada, ben] = await friends(box);
  await ada.chat(ben)!.setTimer(60);
  await until(() => ben.chat(ada)!.timer === 60);
  await ada.chat(ben)!.send("burn this");
  await until(() => ben.texts(ada).includes("burn this"));
  ben.chat(ada)!.markRead();
  await until(() => ben.chat(ada)!.messages.at(-1)?.expires! > box.now);
  box.ahead += 62;
  for (const one of [ada.chat(ben)!, ben.chat(ada)!]) one.update();
  expect(ben.texts(ada)).not.toContain("burn this");
  expect(ada.texts(ben)).not.toContain("burn this");
  const holds = async (who: typeof ada): Promise<boolean> =>
    JSON.stringify(await who.messenger.dump()).includes("burn this");
  for (const who of [ada, ben]) await vi.waitFor(async () => expect(await holds(who)).toBe(false), 60_000);
});

test("keys of a channel are no messages", async () => {
  const box = new FakeBox();
  const [ada, ben] = await friends(box);
  const before = ben.chat(ada)!.messages.length;
  const unread = ben.chat(ada)!.unread;
  const common = { v: 1, sent: Math.floor(box.now) } as const;
  const told = { channel: seed("channel", 16), generation: 0, since: 1, signing: seed("s"), iteration: 0 };
  const roster = { number: 1, hash: seed("hash") };
  const { outbound } = ada.messenger.core!;
  const id = ada.chat(ben)!.id;
  const key = { ...common, ...told, id: seed("1", 16), kind: "sender_key", key: seed("k"), roster } as const;
  const wanted = { ...common, id: seed("2", 16), kind: "sender_key_wanted" } as const;
  await outbound.send(id, key);
  await outbound.send(id, { ...wanted, channel: told.channel, chains: [seed("chain", 16)] });
  await ada.chat(ben)!.send("after");
  await until(() => ben.texts(ada).includes("after"));
  expect(ben.chat(ada)!.messages.length).toBe(before + 1);
  expect(ben.chat(ada)!.unread).toBe(unread + 1);
});

test("what is said leaves before it is drawn and kept, and what has to wait is drawn and kept soon", async () => {
  const [ada, ben] = await friends(new FakeBox());
  await quiet(ada, ben);
  const chat = ada.chat(ben)!;
  const kept = (): boolean => [...ada.locker.values.keys()].some((key) => key.startsWith("unsent/"));
  const seen: boolean[] = [];
  ada.line.drop = (request) => {
    if (request === "POST /v1/vault") seen.push(ada.texts(ben).includes("at once") || kept());
    return false;
  };
  await chat.send("at once");
  expect(seen[0]).toBe(false);
  expect(ada.texts(ben)).toContain("at once");
  let go!: () => void;
  void ada.messenger.core!.ledger.run(() => new Promise<void>((done) => (go = done)));
  const sending = chat.send("held up");
  await until(() => ada.texts(ben).includes("held up") && kept());
  expect(chat.messages.at(-1)?.state).toBe("sealed");
  go();
  await sending;
  await until(() => !kept());
});

test("what is refused before it leaves is drawn, and not kept", async () => {
  const [ada, ben] = await friends(new FakeBox());
  await quiet(ada, ben);
  const chat = ada.chat(ben)!;
  const { outbound } = ada.messenger.core!;
  outbound.targets = () => Promise.reject(new Refusal("no_contact", "", 404));
  await expect(chat.send("to nobody")).rejects.toMatchObject({ code: "no_contact" });
  expect(chat.messages.at(-1)).toMatchObject({ text: "to nobody", state: "failed" });
  await until(() => ![...ada.locker.values.keys()].some((key) => key.startsWith("unsent/")));
});

test("the keys of the next message are made while it is typed, and for nobody who types nothing", async () => {
  const [ada, ben] = await friends(new FakeBox());
  await quiet(ada, ben);
  const chat = ada.chat(ben)!;
  const prepare = vi.spyOn(ada.messenger.core!.outbound, "prepare");
  chat.saveDraft("");
  chat.setTyping(false);
  await ben.chat(ada)!.send("are you there");
  await until(() => ada.texts(ben).includes("are you there"));
  expect(prepare).not.toHaveBeenCalled();
  chat.saveDraft("yes");
  chat.setTyping(true);
  await until(() => prepare.mock.calls.length === 1);
  // What comes meanwhile may turn the ratchet.
  await ben.chat(ada)!.send("hello?");
  await until(() => prepare.mock.calls.length > 1);
});
