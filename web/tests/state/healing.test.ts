import { afterEach, expect, test } from "vitest";
import { toHex } from "../../src/protocol/bytes.ts";
import { makeCertificate } from "../../src/protocol/certificate.ts";
import { sizeOf, writeContent, type Content } from "../../src/protocol/content.ts";
import { agreementPublic, signingPublic } from "../../src/protocol/keys.ts";
import { begin, makePeer, seal } from "../../src/protocol/peer.ts";
import { readBundle, signEntry, readEntry } from "../../src/protocol/prekeys.ts";
import { names, type LogsRecord, type SessionRecord } from "../../src/state/messenger/records.ts";
import { FakeBox } from "./fake/box.ts";
import { Browser, closeAll, friends, join, PASSPHRASE, quiet, signIn, until } from "./fake/people.ts";
import { deliver } from "./fake/post.ts";

afterEach(closeAll);

/** The place where `who` takes mail from the one contact there is. */
function placeOf(box: FakeBox, who: Browser) {
  const mark = who.messenger.core!.ledger.head.sessions[0]!;
  return [...box.places.values()].find((place) => toHex(place.handle) === toHex(mark.handle))!;
}

test("devices out of step begin anew, and what was lost is asked for and comes", async () => {
  const box = new FakeBox();
  const [ada, ben] = await friends(box);
  await until(() => placeOf(box, ben) !== undefined);
  // Ben's box loses a message, and brings him an envelope that no session opens.
  const { core } = ada.messenger;
  const real = core!.dispatcher.leave.bind(core!.dispatcher);
  core!.dispatcher.leave = () => undefined;
  await ada.chat(ben)!.send("lost on the way");
  core!.dispatcher.leave = real;
  const nonsense = crypto.getRandomValues(new Uint8Array(4032));
  nonsense[0] = 1;
  deliver(box, placeOf(box, ben), nonsense);
  await until(() => ben.chat(ada)!.messages.some((one) => one.unreadable === "asked"));
  await until(() => ben.texts(ada).includes("lost on the way"));
  await until(() => !ben.chat(ada)!.messages.some((one) => one.unreadable === "asked"));
  await until(() => ada.chat(ben)!.messages.at(-1)!.state === "delivered");
  deliver(
    box,
    placeOf(box, ben),
    Uint8Array.from(nonsense, (byte, at) => (at === 9 ? byte ^ 1 : byte)),
  );
  const dispatched = ben.line.asked.filter((request) => request === "POST /v1/people/prekeys").length;
  await ada.chat(ben)!.send("after");
  await until(() => ben.texts(ada).includes("after"));
  // At most one new session an hour with one device.
  expect(ben.line.asked.filter((request) => request === "POST /v1/people/prekeys")).toHaveLength(dispatched);
});

test("envelopes that come twice, late, or as noise change nothing", async () => {
  const box = new FakeBox();
  const [ada, ben] = await friends(box);
  await until(() => placeOf(box, ben) !== undefined);
  const seen: Uint8Array[] = [];
  const queues = box.queues;
  ben.line.drop = (request) => request === "POST /v1/vault" && seen.length < 3;
  for (const text of ["a", "b", "c"]) await ada.chat(ben)!.send(text);
  await until(() => (queues.get(ben.messenger.me!.device) ?? []).length >= 3);
  const items = [...queues.get(ben.messenger.me!.device)!];
  seen.push(...items.map((item) => item.envelope));
  for (const item of items.reverse()) deliver(box, placeOf(box, ben), item.envelope);
  for (const size of [960, 1984, 4032, 16_320]) {
    const noise = crypto.getRandomValues(new Uint8Array(size));
    for (const place of box.places.values()) if (place.account.name === "ben") deliver(box, place, noise);
  }
  await until(() => ben.texts(ada).slice(-3).join() === "a,b,c");
  await ben.chat(ada)!.send("still fine");
  await until(() => ada.texts(ben).includes("still fine"));
  expect(ben.texts(ada).filter((text) => text === "b")).toHaveLength(1);
});

test("what a sender that was set back unnoticed says is asked for again, and comes", async () => {
  const box = new FakeBox();
  const [ada, ben] = await friends(box);
  const account = box.accounts.get("ada")!;
  // She writes to a mailbox that is for her alone: what comes there is hers, though nothing opens it.
  const { core } = ada.messenger;
  const session = names.session(core!.seat.id, ben.messenger.me!.device);
  await until(() => placeOf(box, ben) !== undefined);
  const own = toHex(placeOf(box, ben).route.mailbox);
  await until(() => {
    const { routes } = core!.vault.peek(session) as unknown as SessionRecord;
    return toHex(routes[0]!.mailbox) === own;
  });
  await core!.close(true);
  const backup = new Map(account.vault);
  const one = await signIn(box, "ada");
  const device = one.messenger.me!.device;
  for (const text of ["one", "two"]) await one.chat(ben)!.send(text);
  await until(() => ben.texts(ada).includes("two"));
  await one.messenger.core!.close(true);
  // Nothing tells the next browser that there was more: its first words have the numbers of those before.
  account.vault = new Map(backup);
  const two = await signIn(box, "ada");
  expect(two.messenger.me!.device).toBe(device);
  for (const text of ["three", "four", "five"]) await two.chat(ben)!.send(text);
  await until(() => ["three", "four", "five"].every((text) => ben.texts(ada).includes(text)));
  await until(() => !ben.chat(ada)!.messages.some((each) => each.unreadable));
  await ben.chat(ada)!.send("all is well");
  await until(() => two.texts(ben).includes("all is well"));
});

test("a replay is silent whatever body it has", async () => {
  const box = new FakeBox();
  const [ada, ben] = await friends(box);
  // What goes to and fro by itself turns the ratchet, and an envelope of two turns ago is noise, no replay.
  await quiet(ada, ben);
  const seen: Uint8Array[] = [];
  const { core } = ada.messenger;
  const real = core!.dispatcher.leave.bind(core!.dispatcher);
  core!.dispatcher.leave = (batch, dispatch) => {
    seen.push(...dispatch.envelopes);
    real(batch, dispatch);
  };
  await ada.chat(ben)!.send("once");
  await until(() => ada.chat(ben)!.messages.at(-1)!.state === "delivered");
  const asked = (): number => ben.line.asked.filter((one) => one === "POST /v1/people/prekeys").length;
  const before = asked();
  for (const bit of [1, 2, 4])
    for (const envelope of seen)
      deliver(
        box,
        placeOf(box, ben),
        envelope.map((octet, at) => (at === envelope.length - 1 ? octet ^ bit : octet)),
      );
  await ada.chat(ben)!.send("after");
  await until(() => ben.texts(ada).includes("after"));
  await ben.messenger.core!.inbound.idle();
  expect(asked()).toBe(before);
  expect(ben.chat(ada)!.messages.some((one) => one.unreadable)).toBe(false);
});

test("another identity under a known name stops what is sent until a person has looked", async () => {
  const box = new FakeBox();
  const [ada, ben] = await friends(box);
  await ada.chat(ben)!.verify();
  await until(() => ada.chat(ben)!.verified);
  const digits = ada.chat(ben)!.safety!.digits.join(" ");
  expect(ben.chat(ada)!.safety!.digits.join(" ")).toBe(digits);
  await ben.crash();
  box.accounts.delete("ben");
  const other = await join(box, "ben");
  await ada.messenger.core!.people.refresh(ada.chat(ben)!.id);
  const chat = ada.chat(other)!;
  await until(() => chat.keyChange !== null);
  expect(chat.verified).toBe(false);
  expect(chat.safety!.digits.join(" ")).not.toBe(digits);
  await expect(chat.send("secret")).rejects.toMatchObject({ code: "key_changed" });
  expect(chat.messages.some((one) => one.notice === "key_changed")).toBe(true);
  await chat.acceptKeyChange();
  expect(chat.keyChange).toBeNull();
  await chat.send("hello whoever you are");
  await until(() => other.messenger.requests[0]?.last?.text === "hello whoever you are");
});

test("a log that contradicts what was shown before raises an alarm, and nothing is sent", async () => {
  const box = new FakeBox();
  const [ada, ben] = await friends(box);
  const core = ada.messenger.core!;
  await core.ledger.flush();
  box.tree.leaves = box.tree.leaves.map((leaf, at) => (at === 0 ? Uint8Array.from([...leaf, 0]) : leaf));
  await expect(core.people.refresh(ada.chat(ben)!.id)).rejects.toMatchObject({ code: "bad_log" });
  expect(ada.messenger.phase).toBe("alarm");
  expect(ada.messenger.alarm).toMatchObject({ kind: "log", host: box.host });
});

test("a box restored from an old copy is an alarm until a person goes on, and both checkpoints stay", async () => {
  const box = new FakeBox();
  const [ada, ben] = await friends(box);
  const core = ada.messenger.core!;
  const chat = ada.chat(ben)!.id;
  await core.people.refresh(chat);
  await core.ledger.flush();
  const logs = (): LogsRecord => core.vault.peek(names.logs) as unknown as LogsRecord;
  const before = logs().heads[box.host]!;
  const signed = logs().notes![box.host]!;
  // The copy knows ben's entry, but nothing that came after it.
  const whole = box.tree.leaves;
  box.tree.leaves = whole.slice(0, whole.indexOf(box.accounts.get("ben")!.entry!) + 1);
  const size = box.tree.leaves.length;
  if (size === whole.length) box.tree.leaves = [box.accounts.get("ben")!.entry!];
  await expect(core.people.refresh(chat)).rejects.toMatchObject({ code: "bad_log" });
  expect(ada.messenger.alarm).toEqual({
    kind: "log",
    host: box.host,
    before: before.size,
    after: box.tree.leaves.length,
  });

  // Left for now, everything goes on as before, and the next look says it again, once in the evidence.
  await ada.messenger.dismissAlarm(false);
  expect(ada.messenger.phase).toBe("ready");
  expect(logs().heads[box.host]).toEqual(before);
  await expect(core.people.refresh(chat)).rejects.toMatchObject({ code: "bad_log" });
  await ada.messenger.dismissAlarm(true);
  expect(logs().heads[box.host]!.size).toBe(box.tree.leaves.length);
  expect(logs().contradictions).toMatchObject([
    { host: box.host, before, note: signed, after: box.tree.note(), accepted: true },
  ]);
  await core.people.refresh(chat);
  expect(ada.messenger.phase).toBe("ready");
});

test("an answer that proves nothing changes nothing that is remembered", async () => {
  const box = new FakeBox();
  const [ada, ben] = await friends(box);
  const core = ada.messenger.core!;
  await core.ledger.flush();
  const before = core.vault.peek(names.logs);
  box.tree.prove = () => ({ index: 0, hashes: [], checkpoint: "no checkpoint", consistency: null });
  await expect(core.people.refresh(ada.chat(ben)!.id)).rejects.toMatchObject({ code: "bad_log" });
  expect(ada.messenger.alarm).toBeNull();
  expect(core.vault.peek(names.logs)).toEqual(before);
});

test("an entry by another key, a forged bundle and an old entry are refused", async () => {
  const box = new FakeBox();
  const ada = await join(box, "ada");
  const ben = await join(box, "ben");
  const account = box.accounts.get("ben")!;
  const good = account.entry!;
  const stranger = crypto.getRandomValues(new Uint8Array(32));
  account.entry = signEntry(stranger, { ...readEntry(good), name: "eve", identity: signingPublic(stranger) });
  box.tree.leaves.push(account.entry);
  await expect(ada.messenger.start(ben.address)).rejects.toMatchObject({ code: "bad_entry" });
  account.entry = good;
  const bundle = [...account.bundles][0]!;
  account.bundles.set(
    bundle[0],
    Uint8Array.from(bundle[1], (byte, at) => (at === 70 ? byte ^ 1 : byte)),
  );
  const chat = await ada.messenger.start(ben.address);
  await expect(chat.send("x")).rejects.toMatchObject({ code: "no_route" });
  expect(chat.messages.at(-1)).toMatchObject({ state: "failed", problem: "no_route" });
  account.bundles.set(...bundle);
  await (chat as unknown as { retry(id: string): Promise<void> }).retry(chat.messages.at(-1)!.id);
  await until(() => ben.messenger.requests[0]?.last?.text === "x");
});

test("an empty vault of an account that has an entry is an alarm, not a new identity", async () => {
  const box = new FakeBox();
  const ada = await join(box, "ada");
  await ada.crash();
  box.accounts.get("ada")!.vault.clear();
  const again = new Browser(box);
  await again.account.signIn("ada", PASSPHRASE);
  await until(() => again.messenger.phase === "alarm");
  expect(again.messenger.alarm).toEqual({ kind: "vault" });
});

test("secrets of one-time prekeys go with the message that used them", async () => {
  const box = new FakeBox();
  const ada = await join(box, "ada");
  const ben = await join(box, "ben");
  const stock = (): number => {
    const { core } = ben.messenger;
    return (core!.vault.peek(names.prekeys(core!.seat.id)) as unknown as { secrets: [] }).secrets.length;
  };
  await until(() => box.accounts.get("ben")!.prekeys.get(ben.messenger.me!.device)?.length === 4);
  expect(stock()).toBe(4);
  await (await ada.messenger.start(ben.address)).send("one");
  await until(() => ben.messenger.requests.length === 1);
  expect(stock()).toBe(3);
});

test("a box that shows an earlier entry of somebody is refused, and nothing that was known changes", async () => {
  const box = new FakeBox();
  const [ada, ben] = await friends(box);
  const { people } = ada.messenger.core!;
  const id = ada.chat(ben)!.id;
  const account = box.accounts.get("ben")!;
  const first = account.entry!;
  const entry = readEntry(first);
  const { seed } = ben.messenger.core!.account();
  account.entry = signEntry(seed, { ...entry, revision: entry.revision + 1 });
  box.tree.leaves.push(account.entry);
  expect((await people.refresh(id)).revision).toBe(entry.revision + 1);
  // What was replaced stays in the log, so its proof is good.
  account.entry = first;
  await expect(people.refresh(id)).rejects.toMatchObject({ code: "old_entry" });
  expect(people.entryOf(people.person(id)!)!.revision).toBe(entry.revision + 1);
});

test("who signs ever new devices takes no more room than a few", async () => {
  const box = new FakeBox();
  const [ada, ben] = await friends(box);
  const entry = readEntry(box.accounts.get("ben")!.entry!);
  const bundle = readBundle([...box.accounts.get("ben")!.bundles.values()][0]!, entry);
  const place = [...box.places.values()].find(
    (one) => one.account.name === "ben" && one.handle.every((octet) => octet === 0),
  )!;
  const { seed, name } = ada.messenger.core!.account();
  const hour = ben.messenger.core!.hour();
  const random = (count: number): Uint8Array => crypto.getRandomValues(new Uint8Array(count));
  for (let count = 0; count < 40; count++) {
    const own = { identity: signingPublic(seed), device: random(16), agreement: random(32) };
    const agreement = agreementPublic(own.agreement);
    const { onion } = entry;
    const times = { issued_hour: hour, expires_hour: hour + 24 };
    const certificate = makeCertificate(seed, { name, onion, device: own.device, agreement, ...times });
    const peer = begin(makePeer(entry.identity, entry.devices[0]!), own, bundle, null, hour, random);
    const text: Content = {
      v: 1,
      id: random(16),
      kind: "text",
      sent: ben.messenger.core!.now(),
      text: `${count}`,
    };
    deliver(box, place, seal(peer, certificate, writeContent(text), sizeOf(text), random).envelope);
  }
  await until(() => ben.texts(ada).includes("39"));
  expect(ben.messenger.core!.ledger.head.sessions).toHaveLength(32);
  expect(ben.texts(ada).slice(-40)).toHaveLength(40);
});
