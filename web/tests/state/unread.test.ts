import { afterEach, expect, test } from "vitest";
import { toHex } from "../../src/protocol/bytes.ts";
import { newTalk, type TalkRecord } from "../../src/state/messenger/records.ts";
import { follows, MAX_TAKEN, needsLog, read, take, wasTaken } from "../../src/state/messenger/unread.ts";
import { FakeBox } from "./fake/box.ts";
import { Browser, closeAll, friends, until } from "./fake/people.ts";

afterEach(closeAll);

/** Ada with a second device, and Ben. */
async function three(box: FakeBox): Promise<[Browser, Browser, Browser]> {
  const [ada, ben] = await friends(box);
  const { url } = await ada.account.linkDevice();
  const phone = new Browser(box);
  await phone.account.signInByLink(url.slice(url.indexOf("#")), "Phone");
  await phone.ready();
  await ben.messenger.core!.people.refresh(ben.chat(ada)!.id);
  for (const one of [ada, phone]) {
    one.chat(ben)!.markRead();
    await until(() => one.chat(ben)!.unread === 0);
  }
  return [ada, phone, ben];
}

test("what comes after a read mark counts as unread, however the clocks of the devices go", async () => {
  const box = new FakeBox();
  const [ada, phone, ben] = await three(box);
  phone.messenger.core!.options.now = () => box.now + 90;
  await ben.chat(ada)!.send("one");
  await until(() => [ada, phone].every((one) => one.chat(ben)!.unread === 1));
  phone.chat(ben)!.markRead();
  await until(() => ada.chat(ben)!.unread === 0);
  await phone.crash();
  await ben.chat(ada)!.send("two");
  await until(() => ada.chat(ben)!.last?.text === "two");
  expect(ada.chat(ben)!.unread).toBe(1);
});

test("what a device finds in its queue after a long time was read on another one", async () => {
  const box = new FakeBox();
  const [ada, phone, ben] = await three(box);
  phone.line.down = true;
  box.hangUp(phone.line.session);
  const count = MAX_TAKEN + 12;
  for (let number = 1; number <= count; number++) await ben.chat(ada)!.send(`${number}`);
  await until(() => ada.texts(ben).includes(`${count}`), 15_000);
  ada.chat(ben)!.markRead();
  await until(() => ada.chat(ben)!.unread === 0);
  const core = phone.messenger.core!;
  phone.line.down = false;
  await core.vault.pull();
  core.inbound.look();
  await until(() => (box.queues.get(phone.messenger.me!.device) ?? []).length === 0, 15_000);
  await core.inbound.idle();
  expect([ada.chat(ben)!.unread, phone.chat(ben)!.unread]).toEqual([0, 0]);
  await ben.chat(ada)!.send("news");
  await until(() => [ada, phone].every((one) => one.chat(ben)!.unread === 1));
}, 40_000);

/** Several devices that see the talk and the log as they were when they looked last. */
class Model {
  talk = newTalk("contact");
  log = new Set<number>();
  sent: number[] = [];
  read = new Set<number>();
  done: Set<number>[] = [new Set(), new Set(), new Set()];
  views: { talk: TalkRecord; log: Set<number> }[] = [];

  look(device: number): void {
    this.views[device] = { talk: this.talk, log: new Set(this.log) };
  }

  take(device: number, message: number): void {
    const [id, sent] = [idOf(message), this.sent[message]!];
    // Who has seen too little of what the others did looks again.
    if (!follows(this.views[device]!.talk, this.talk)) this.look(device);
    const { talk, log } = this.views[device]!;
    this.done[device]!.add(message);
    if (wasTaken(talk, id) || (needsLog(talk, id, sent) && log.has(message))) return;
    this.talk = take(this.talk, id, sent);
    this.log.add(message);
    // It is saved on top of what the others did, which the conflict has brought.
    this.look(device);
  }

  mark(message: number): void {
    if (this.talk.fresh.some((one) => toHex(one) === toHex(idOf(message)))) this.read.add(message);
    this.talk = read(this.talk, [idOf(message)]);
  }
}

const idOf = (message: number): Uint8Array =>
  Uint8Array.from({ length: 16 }, (_, at) => (message >> (at < 2 ? 8 * at : 0)) & 255);

test.each([1, 2, 3, 4, 5, 6])(
  "a message is unread from when it is taken in first until it is read (%i)",
  (seed) => {
    let state = seed * 7919;
    const dice = (sides: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return (state >>> 8) % sides;
    };
    const model = new Model();
    for (let step = 0; step < 3_000; step++) {
      const device = dice(3);
      // The sender's clock jumps; each device looks now and then, and takes what came in any order.
      if (dice(4) === 0) model.sent.push(1_000 + step + (dice(10) === 0 ? dice(2_000) - 1_000 : 0));
      if (dice(3) === 0 || !model.views[device]) model.look(device);
      const waiting = model.sent.map((_, at) => at).filter((at) => !model.done[device]!.has(at));
      // One of the devices is away for long.
      if (waiting.length > 0 && (device !== 2 || waiting.length > 300 || dice(400) === 0)) {
        if (dice(3) > 0) model.look(device);
        model.take(device, waiting[dice(10) === 0 ? dice(waiting.length) : 0]!);
      }
      if (dice(2) === 0 && model.talk.fresh.length > 0) {
        const [first] = model.talk.fresh;
        model.mark(model.sent.findIndex((_, at) => toHex(idOf(at)) === toHex(first!)));
      }
      const unread = new Set([...model.log].filter((message) => !model.read.has(message)));
      expect(new Set(model.talk.fresh.map(toHex))).toEqual(
        new Set([...unread].map((one) => toHex(idOf(one)))),
      );
      expect(model.talk.fresh).toHaveLength(unread.size);
      expect(model.talk.taken!.length).toBeLessThanOrEqual(MAX_TAKEN * 16);
    }
    expect(model.log.size).toBeGreaterThan(MAX_TAKEN * 3);
  },
);

test("what was read on one device while the other was still saving it is not unread again", async () => {
  const box = new FakeBox();
  const [ada, phone, ben] = await three(box);
  ada.line.drop = (request) => request === "POST /v1/vault";
  await ben.chat(ada)!.send("one");
  await until(() => phone.chat(ben)!.unread === 1);
  await until(() => ada.messenger.phase === "offline");
  phone.chat(ben)!.markRead();
  await until(() => phone.chat(ben)!.unread === 0);
  ada.line.drop = () => false;
  await until(() => ada.texts(ben).includes("one") && ada.messenger.phase === "ready");
  // Once what she had to save is saved, and she knows what the phone did.
  await ada.messenger.core!.ledger.run(() => undefined);
  await ada.messenger.core!.vault.pull();
  expect(ada.chat(ben)!.unread).toBe(0);
  expect(phone.chat(ben)!.unread).toBe(0);
});
