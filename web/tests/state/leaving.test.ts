import { afterEach, expect, test } from "vitest";
import { toHex } from "../../src/protocol/bytes.ts";
import { names, type OutgoingRecord } from "../../src/state/messenger/records.ts";
import { FakeBox } from "./fake/box.ts";
import { Browser, closeAll, friends, until } from "./fake/people.ts";

afterEach(closeAll);

/** The same window again, held up from the beginning. */
async function reopenedHeldUp(who: Browser): Promise<Browser> {
  const { session } = who.line;
  await who.crash();
  const next = new Browser(who.box, who.locker);
  next.line.session = session;
  next.line.holdUp();
  await next.account.begin();
  await until(() => next.messenger.phase !== "opening" && next.messenger.conversations.length > 0);
  return next;
}

/** The dispatches that are not known to have left. */
function outgoing(who: Browser): string {
  const record = who.messenger.core!.vault.peek(names.outgoing(who.messenger.me!.device));
  const { entries } = record as unknown as OutgoingRecord;
  return entries.map(({ dispatch }) => toHex(dispatch)).join();
}

test("a message to a device that is gone reaches the one that came instead", async () => {
  const box = new FakeBox();
  const [ada, ben] = await friends(box);
  const before = ben.messenger.me!.device;
  box.epoch = crypto.getRandomValues(new Uint8Array(16));
  const again = await ben.reopened();
  expect(again.messenger.me!.device).not.toBe(before);
  for (const [id, place] of box.places) if (place.device === before) box.places.delete(id);
  await ada.chat(again)!.send("to whom it may concern");
  await until(() => again.texts(ada).includes("to whom it may concern"));
  await until(() => ada.chat(again)!.messages.at(-1)!.state === "box");
  expect(again.texts(ada).filter((text) => text === "to whom it may concern")).toHaveLength(1);
});

test("a start that could not hand over either loses nothing", async () => {
  const [ada, ben] = await friends(new FakeBox());
  ada.line.holdUp();
  await ada.chat(ben)!.send("on the edge");
  const before = outgoing(ada);
  expect(before).not.toBe("");
  const second = await reopenedHeldUp(ada);
  await second.messenger.core!.vault.read([names.outgoing(second.messenger.me!.device)]);
  await until(() => {
    void second.messenger.core!.ledger.flush();
    return outgoing(second) !== before;
  });
  expect(second.texts(ben).at(-1)).toBe("on the edge");
  expect(second.chat(ben)!.messages.at(-1)!.state).toBe("waiting");
  const third = await second.reopened();
  await until(() => ben.texts(ada).includes("on the edge"));
  expect(ben.texts(ada).filter((text) => text === "on the edge")).toHaveLength(1);
  await third.chat(ben)!.open();
  await until(() => third.chat(ben)!.messages.at(-1)!.state === "delivered");
});

test("what was typed without a connection is there after the page was closed, and leaves once", async () => {
  const box = new FakeBox();
  const [ada, ben] = await friends(box);
  const first = ada.chat(ben)!.messages[0]!.id;
  ada.line.cut();
  for (const text of ["first words", "second words"])
    void ada
      .chat(ben)!
      .send(text, first)
      .catch(() => undefined);
  await until(() => ada.texts(ben).includes("second words"));
  const ids = ada
    .chat(ben)!
    .messages.slice(-2)
    .map((one) => one.id);
  const kept = (): string =>
    JSON.stringify([...ada.locker.values], (_, one: unknown) =>
      one instanceof Uint8Array ? new TextDecoder().decode(one) : one,
    );
  await until(() => kept().includes("unsent"));
  expect(kept()).not.toContain("second words");
  const again = await ada.reopened();
  await until(() => ben.texts(ada).slice(-2).join() === "first words,second words");
  expect(
    ben
      .chat(ada)!
      .messages.slice(-2)
      .map((one) => one.id),
  ).toEqual(ids);
  expect(ben.chat(ada)!.messages.at(-1)!.reply).toBe(first);
  await until(() => again.chat(ben)!.messages.at(-1)!.state === "delivered");
  const third = await again.reopened();
  await third.chat(ben)!.open();
  expect(third.texts(ben)).toHaveLength(4);
  expect(kept()).not.toContain("unsent");
});
