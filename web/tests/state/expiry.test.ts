import { afterEach, expect, test, vi } from "vitest";
import { lifeOf, noted, started } from "../../src/state/messenger/expiry.ts";
import {
  names,
  newTalk,
  type LogEvent,
  type SegmentRecord,
  type TalkRecord,
} from "../../src/state/messenger/records.ts";
import { FakeBox } from "./fake/box.ts";
import { closeAll, friends, signIn, until, type Browser } from "./fake/people.ts";

afterEach(closeAll);

const said = (by: 0 | 1, at: number, timer?: number, kind = "text"): LogEvent =>
  ({ k: "m", by, at: at * 1000, c: { kind, id: new Uint8Array(16), timer } }) as unknown as LogEvent;

test("a talk knows the next second and where to look", () => {
  let talk = newTalk("contact");
  expect(noted(talk, "d", 3, [said(0, 100)])).toBe(talk);
  expect(noted(talk, "d", 3, [said(0, 100, 60, "timer")])).toBe(talk);
  // Theirs run once they are read.
  talk = noted(talk, "d", 3, [said(1, 100, 60)]);
  expect([talk.expires, talk.timed]).toEqual([0, { d: 3 }]);
  talk = noted(talk, "d", 4, [said(0, 100, 60), said(0, 50, 60)]);
  expect([talk.expires, talk.timed]).toEqual([110, { d: 3 }]);
  talk = started(started(talk, [60, 30, 0], 70), [5], 100);
  expect(talk.expires).toBe(100);
  expect(started(talk, [0], 0)).toBe(talk);
});

/** What of the one conversation still disappears, by what the vault has. */
async function left(who: Browser): Promise<unknown> {
  const core = who.messenger.core!;
  const [chat] = core.chats.all;
  const values = (await core.vault.read(chat!.history.all())) as unknown as (SegmentRecord | undefined)[];
  const { expires, timed } = core.vault.peek(names.talk(chat!.id)) as unknown as TalkRecord;
  return [
    values.flatMap((value) => value?.events ?? []).filter((event) => lifeOf(event) > 0),
    expires,
    timed,
  ];
}

test("what disappeared is in no vault and its chunks at no box, though nobody looks", async () => {
  vi.spyOn(URL, "createObjectURL").mockReturnValue("blob:1");
  vi.spyOn(URL, "revokeObjectURL").mockImplementation(() => undefined);
  const box = new FakeBox();
  const [ada, ben] = await friends(box);
  const kept = (name: string): number => box.accounts.get(name)!.kept.size;
  await ada.chat(ben)!.setTimer(600);
  await ada.chat(ben)!.send("gone soon");
  await ada.chat(ben)!.sendFile(new File([new Uint8Array(50_000)], "plan.txt"));
  await until(() => kept("ada") > 0 && kept("ben") > 0);
  await ada.chat(ben)!.setTimer(0);
  await ada.chat(ben)!.send("to stay");
  await until(() => ben.texts(ada).includes("to stay"));
  ben.chat(ada)!.markRead();
  await until(() => ben.chat(ada)!.unread === 0);
  await ada.messenger.core!.close(true);
  box.ahead = 300;
  await ben.messenger.core!.chats.sweep();
  expect(ben.texts(ada)).toContain("gone soon");
  expect([kept("ada"), kept("ben")].every((count) => count > 0)).toBe(true);
  box.ahead = 700;
  await ben.messenger.core!.chats.sweep();
  expect(await left(ben)).toEqual([[], 0, {}]);
  expect(kept("ben")).toBe(0);
  // A browser that comes back finds it out without showing the conversation.
  const again = await signIn(box, "ada");
  await until(() => kept("ada") === 0);
  // What else happened meanwhile makes it look once more after a while.
  const core = again.messenger.core!;
  const next = (): number =>
    (core.vault.peek(names.talk(core.chats.all[0]!.id)) as unknown as TalkRecord).expires!;
  await until(() => next() === 0 || next() > core.now());
  box.ahead = 1_400;
  await core.chats.sweep();
  expect(await left(again)).toEqual([[], 0, {}]);
  await again.chat(ben)!.open();
  for (const [one, other] of [
    [again, ben],
    [ben, ada],
  ] as const)
    expect(one.texts(other)).toEqual(["hello ben", "hello ada", "to stay"]);
});
