import { afterEach, expect, test } from "vitest";
import { FakeBox } from "./fake/box.ts";
import { closeAll, friends, join, until } from "./fake/people.ts";

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
  expect(() => mine.edit(first.id, "not mine")).rejects.toMatchObject({ code: "wrong_state" });
});
