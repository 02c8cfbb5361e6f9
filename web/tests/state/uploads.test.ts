import { afterEach, expect, test, vi } from "vitest";
import type { Attachment } from "../../src/state/messenger/types.ts";
import { FakeBox } from "./fake/box.ts";
import { Browser, closeAll, friends, until } from "./fake/people.ts";

afterEach(closeAll);

const KEEP = "POST /v1/kept";
/** Four parts. */
const SIZE = 2_000_000;

const blobs = new Map<string, Blob>();
vi.spyOn(URL, "createObjectURL").mockImplementation((blob) => {
  const url = `blob:${blobs.size}`;
  blobs.set(url, blob as Blob);
  return url;
});
vi.spyOn(URL, "revokeObjectURL").mockImplementation(() => undefined);

function bytesOf(size: number, seed = 31): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: size }, (_, at) => (at * seed + (at >> 8)) & 255);
}

async function holds(attachment: Attachment, bytes: Uint8Array): Promise<boolean> {
  const there = new Uint8Array(await blobs.get(await attachment.url())!.arrayBuffer());
  return there.length === bytes.length && there.every((byte, at) => byte === bytes[at]);
}

const last = (who: Browser, other: Browser): Attachment => who.chat(other)!.messages.at(-1)!.attachment!;

const handedOver = (who: Browser): number => who.line.asked.filter((one) => one === KEEP).length;

/** What is in this browser stays there. */
function lasting(who: Browser): void {
  who.locker.lasting = () => Promise.resolve(true);
}

/** From now on only so many parts get through. */
function letThrough(who: Browser, parts: number): void {
  let left = parts;
  who.line.drop = (request) => request === KEEP && left-- <= 0;
}

/** Send a file that does not get through whole. */
async function interrupted(ada: Browser, ben: Browser, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  letThrough(ada, 2);
  await ada.chat(ben)!.sendFile(new File([bytes], "chart.bin"));
  await until(() => handedOver(ada) > 3);
  expect(last(ada, ben).state).toBe("sending");
}

async function reopened(who: Browser, other: Browser): Promise<Browser> {
  const again = await who.reopened();
  await again.chat(other)!.open();
  return again;
}

test("an upload that died with its page goes on from the sealed copy, with what is lacking", async () => {
  const [ada, ben] = await friends(new FakeBox());
  lasting(ada);
  const bytes = bytesOf(SIZE);
  await interrupted(ada, ben, bytes);
  expect(ada.messenger.core!.uploads.fragile).toBe(false);
  const again = await reopened(ada, ben);
  await until(() => ["ready", "remote"].includes(last(again, ben).state));
  expect(handedOver(again)).toBe(2);
  expect(await holds(last(ben, ada), bytes)).toBe(true);
  expect(await holds(last(again, ben), bytes)).toBe(true);
  // Nothing of it stays in the browser, nor as something to be done.
  await again.messenger.core!.ledger.flush();
  expect([...ada.locker.values.keys()].filter((key) => key.startsWith("part"))).toEqual([]);
  const third = await reopened(again, ben);
  expect(handedOver(third)).toBe(0);
});

test("a browser that forgets says that the file is needed again, and knows it", async () => {
  const [ada, ben] = await friends(new FakeBox());
  // So many chunks that their ids are in index chunks.
  const bytes = bytesOf(8_600_000);
  await interrupted(ada, ben, bytes);
  expect(ada.messenger.core!.uploads.fragile).toBe(true);
  const again = await reopened(ada, ben);
  await until(() => last(again, ben).state === "needed");
  expect(again.messenger.core!.uploads.fragile).toBe(false);
  expect(await last(again, ben).choose(new File([bytes.slice(1)], "chart.bin"))).toBe(false);
  expect(await last(again, ben).choose(new File([bytesOf(8_600_000, 7)], "chart.bin"))).toBe(false);
  expect(last(again, ben).state).toBe("needed");
  expect(handedOver(again)).toBe(0);
  expect(await last(again, ben).choose(new File([bytes], "renamed.bin"))).toBe(true);
  await until(() => ["ready", "remote"].includes(last(again, ben).state), 15_000);
  expect(handedOver(again)).toBe(Math.ceil(545 / 32) - 2);
  expect(await holds(last(ben, ada), bytes)).toBe(true);
}, 60_000);

test("a file sent without a connection is not lost with the page", async () => {
  const [ada, ben] = await friends(new FakeBox());
  lasting(ada);
  const bytes = bytesOf(100_000);
  ada.line.drop = () => true;
  void ada
    .chat(ben)!
    .sendFile(new File([bytes], "raft.bin"))
    .catch(() => undefined);
  await until(() => [...ada.locker.values.keys()].some((key) => key.startsWith("unsent/")));
  const again = await reopened(ada, ben);
  await until(() => ben.chat(ada)!.messages.at(-1)?.attachment?.name === "raft.bin");
  await until(() => ["ready", "remote"].includes(last(again, ben).state));
  expect(await holds(last(ben, ada), bytes)).toBe(true);
});

test("what is deleted while it is being sent is not sent on, and kept nowhere", async () => {
  const box = new FakeBox();
  const [ada, ben] = await friends(box);
  lasting(ada);
  await interrupted(ada, ben, bytesOf(SIZE));
  await ada.chat(ben)!.remove(ada.chat(ben)!.messages.at(-1)!.id, true);
  ada.line.drop = () => false;
  await until(() => box.accounts.get("ada")!.kept.size === 0);
  await until(() => box.accounts.get("ben")!.kept.size === 0);
  const again = await reopened(ada, ben);
  expect(last(again, ben)).toBeNull();
  expect(handedOver(again)).toBe(0);
});

test("a refusal stops it until the person goes on", async () => {
  const box = new FakeBox();
  const [ada, ben] = await friends(box);
  const bytes = bytesOf(SIZE);
  box.full = true;
  await ada.chat(ben)!.sendFile(new File([bytes], "heavy.bin"));
  await until(() => last(ada, ben).state === "stopped");
  expect(last(ada, ben).problem).toBe("kept_full");
  box.full = false;
  last(ada, ben).goOn();
  await until(() => last(ada, ben).state === "ready");
  expect(last(ada, ben).problem).toBeNull();
  expect(await holds(last(ben, ada), bytes)).toBe(true);
});

test("one's other device says that it is not all sent, and can send it", async () => {
  const box = new FakeBox();
  const [ada, ben] = await friends(box);
  const link = await ada.account.linkDevice();
  const phone = new Browser(box);
  await phone.account.signInByLink(link.url.slice(link.url.indexOf("#")), "Phone");
  await phone.ready();
  await phone.chat(ben)!.open();
  const bytes = bytesOf(SIZE);
  await interrupted(ada, ben, bytes);
  await until(() => phone.chat(ben)!.messages.at(-1)?.attachment?.state === "elsewhere");
  await ada.crash();
  expect(await last(phone, ben).choose(new File([bytes], "chart.bin"))).toBe(true);
  await until(() => ["ready", "remote"].includes(last(phone, ben).state));
  expect(await holds(last(ben, ada), bytes)).toBe(true);
});

test("what has not arrived is not called missing, and can be had when it is there", async () => {
  const box = new FakeBox();
  const [ada, ben] = await friends(box);
  const bytes = bytesOf(SIZE);
  await interrupted(ada, ben, bytes);
  await until(() => ben.chat(ada)!.messages.at(-1)?.attachment?.name === "chart.bin");
  box.ahead += 1_000;
  await expect(last(ben, ada).url()).rejects.toMatchObject({ code: "not_arrived" });
  expect(last(ben, ada).state).toBe("arriving");
  ada.line.drop = () => false;
  await until(() => last(ben, ada).state === "remote");
  expect(await holds(last(ben, ada), bytes)).toBe(true);
});

test("a stopped fetch goes on with the parts it lacks, and each is verified", async () => {
  const [ada, ben] = await friends(new FakeBox());
  const bytes = bytesOf(SIZE);
  await ada.chat(ben)!.sendFile(new File([bytes], "chart.bin"));
  await until(() => last(ada, ben).state === "ready");
  await until(() => ben.chat(ada)!.messages.at(-1)?.attachment?.name === "chart.bin");
  const read = "POST /v1/kept/read";
  const asked = (): number => ben.line.asked.filter((one) => one === read).length;
  const before = asked();
  ben.line.drop = (request) => request === read && asked() - before > 2;
  const file = last(ben, ada);
  const work = file.url();
  await until(() => asked() - before > 3);
  expect(file).toMatchObject({ state: "loading", progress: 64 / 123 });
  file.cancel();
  await expect(work).rejects.toMatchObject({ code: "stopped" });
  expect(file.state).toBe("remote");
  ben.line.drop = () => false;
  // One of the two parts that are here was damaged.
  const [key] = [...ben.locker.values.keys()].filter((one) => one.startsWith("part/") && one.endsWith("/1"));
  const damaged = (ben.locker.values.get(key!) as Uint8Array).slice();
  damaged[20_000]! ^= 1;
  ben.locker.values.set(key!, damaged);
  const again = asked();
  expect(await holds(file, bytes)).toBe(true);
  expect(asked() - again).toBe(3);
  expect([...ben.locker.values.keys()].filter((one) => one.startsWith("part"))).toEqual([]);
});

test("the locker's room is bounded: what is fetched gives way to what is sent", async () => {
  const [ada] = await friends(new FakeBox());
  lasting(ada);
  const { parts } = ada.messenger.core!;
  const third = parts.room / 3;
  for (const id of ["a", "b", "c"]) expect(await parts.reserve(id, "down", third)).toBe(true);
  expect(await parts.reserve("d", "up", third)).toBe(true);
  expect([parts.of("down"), parts.of("up")]).toEqual([["b", "c"], ["d"]]);
  expect(await parts.reserve("e", "up", parts.room)).toBe(false);
  expect(parts.of("up")).toEqual(["d"]);
});
