/** Channels of two engines and a program against a real box: ISLAND=../.venv/bin/island npx vitest run tests/real/channels.test.ts */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AccountDesk } from "../../src/state/account/account.svelte.ts";
import type { ChannelView } from "../../src/state/channels/channel.svelte.ts";
import type { ChannelRecord } from "../../src/state/messenger/records.ts";
import { MemoryLocker } from "../../src/state/locker.ts";
import { MessengerDesk } from "../../src/state/messenger/messenger.svelte.ts";
import { Wire } from "../../src/state/wire.ts";
import { PASSPHRASE, until } from "../state/fake/people.ts";
import { island, RealBox, RealLine } from "./box.ts";

const NO_TABS = { locks: undefined, channel: undefined };
const SOON = 120_000;
const WHOLE = 600_000;
let box: RealBox;

class Person {
  readonly line = new RealLine(box);
  readonly account: AccountDesk;
  readonly messenger: MessengerDesk;

  constructor(readonly locker = new MemoryLocker()) {
    this.account = new AccountDesk(new Wire(this.line), locker);
    this.messenger = new MessengerDesk(this.account, NO_TABS, { patience: 600, stock: 20 });
  }

  get desk() {
    return this.messenger.core!.channels;
  }
  get identity(): string {
    return this.messenger.me!.identity;
  }

  async ready(): Promise<this> {
    await until(() => this.messenger.core?.upkeep.settled === true, SOON);
    await until(() => this.desk.phase === "ready", SOON);
    return this;
  }

  async open(id: string): Promise<ChannelView> {
    return (await this.desk.open(id)) as ChannelView;
  }
}

/** The words of a channel, one after the other. */
const texts = (channel: ChannelView): string =>
  channel.messages
    .filter((one) => one.kind !== "change")
    .map((one) => one.unreadable ?? one.deleted ?? one.text)
    .join();

async function says(channel: ChannelView, words: string): Promise<void> {
  await until(() => texts(channel) === words, SOON).catch(() => expect(texts(channel)).toBe(words));
}

async function another(owner: Person, name: string): Promise<Person> {
  const invite = await owner.account.invite({ uses: 1 });
  const person = new Person();
  await person.account.signUp({ name, passphrase: PASSPHRASE, invite: invite.code, label: name });
  return person.ready();
}

/** Somebody at a command line of the same box. */
class Program {
  private constructor(readonly profile: string) {}

  static async join(owner: Person, name: string): Promise<Program> {
    const program = new Program(join(box.folder, `${name}.profile`));
    const passphrase = join(box.folder, `${name}.passphrase`);
    writeFileSync(passphrase, `${PASSPHRASE}\n`);
    const { code } = await owner.account.invite({ uses: 1 });
    const where = ["--box", box.url.origin, "--invite", code, "--passphrase-file", passphrase];
    await program.run("sign-up", name, ...where);
    return program;
  }

  run(...words: string[]): Promise<unknown> {
    return island(...words, "--profile", this.profile);
  }

  async says(id: string, words: string): Promise<void> {
    const read = async (): Promise<string> => {
      const all = (await this.run("channel", "read", id)) as { text: string; trouble: string }[];
      return all.map((one) => one.text || one.trouble).join();
    };
    // What was said may still be on its way.
    let told = await read();
    for (const end = Date.now() + SOON; told !== words && Date.now() < end;) told = await read();
    expect(told).toBe(words);
  }
}

async function secondOf(person: Person): Promise<Person> {
  const link = await person.account.linkDevice();
  const phone = new Person();
  await phone.account.signInByLink(link.url.slice(link.url.indexOf("#")), "Phone");
  return phone.ready();
}

let ada: Person;
let ben: Person;

beforeAll(async () => {
  box = await RealBox.start(process.env["ISLAND"]!);
  ada = new Person();
  await ada.account.signUp({ name: "ada", passphrase: PASSPHRASE, invite: box.token, label: "Laptop" });
  await ada.ready();
  ben = await another(ada, "ben");
}, WHOLE);
afterAll(() => box?.stop());

test(
  "a private channel: written both ways, with reactions, edits, pins and a reader who is put out",
  async () => {
    const here = (await ada.desk.create({
      title: "Garden",
      topic: "what grows",
      public: false,
    })) as ChannelView;
    expect([here.title, here.topic, here.role, here.count]).toEqual(["Garden", "what grows", "owner", 1]);
    await here.send("before you came");
    await here.invite("ben", "member");
    await until(() => ben.desk.mine.length === 1, SOON);
    await until(() => ben.desk.mine[0]!.title === "Garden", SOON);
    const there = await ben.open(here.id);
    expect(there.members.map((one) => [one.name, one.role, one.me])).toEqual([
      ["ada", "owner", false],
      ["ben", "member", true],
    ]);
    await here.send("hello @ben");
    await says(there, "hello @ben");
    expect(there.messages.at(-1)).toMatchObject({ mentionsMe: true, mine: false, name: "ada", state: "" });
    expect([there.unread, there.mentioned, ben.desk.unread]).toEqual([1, true, 1]);
    there.markRead();
    expect([there.unread, there.mentioned]).toEqual([0, false]);
    await there.send("hello ada", there.messages.at(-1)!.id);
    await says(here, "before you came,hello @ben,hello ada");
    const [, first, second] = here.messages.filter((one) => one.kind === "text");
    expect(second!.reply).toBe(first!.id);
    await until(() => first!.state === "posted" || here.messages.some((one) => one.state === "posted"), SOON);

    await there.react(first!.id, "🌱");
    await until(() => here.messages.some((one) => one.reactions.length === 1), SOON);
    expect(here.messages.find((one) => one.id === first!.id)!.reactions).toEqual([
      { emoji: "🌱", names: ["ben"], mine: false },
    ]);
    await there.edit(second!.id, "hello Ada");
    await says(here, "before you came,hello @ben,hello Ada");
    await here.pin(second!.id, true);
    await until(() => there.pins.length === 1, SOON);
    await expect(there.edit(first!.id, "mine")).rejects.toMatchObject({ code: "wrong_state" });
    await there.remove(second!.id);
    await says(here, "before you came,hello @ben,author");
    expect(here.pins).toEqual([]);

    await here.putOut(ben.identity);
    await here.send("only for us");
    await says(here, "before you came,hello @ben,author,only for us");
    await until(() => ben.desk.mine.length === 0, SOON);
    await expect(ben.desk.open(here.id)).rejects.toMatchObject({ code: "not_member" });
    await expect(there.send("may I?")).rejects.toMatchObject({ code: "not_member" });

    await here.describe({ title: "Orchard", topic: "" });
    await here.invite("ben", "member");
    await until(() => ben.desk.mine[0]?.title === "Orchard", SOON);
    const again = await ben.open(here.id);
    await here.send("welcome back");
    await until(() => texts(again).endsWith("welcome back"), SOON);
    expect(texts(again)).not.toContain("only for us");
  },
  WHOLE,
);

test(
  "a public channel: who joins late reads from then on, a second device reads all, a restart posts once",
  async () => {
    const here = (await ada.desk.create({ title: "Port", topic: "", public: true })) as ChannelView;
    await until(() => ben.desk.others.some((one) => one.title === "Port"), SOON);
    await here.send("one");
    await here.send("two");
    // Who is not in it sees it come, and under another name.
    await here.describe({ title: "Harbour", topic: "Boats" });
    await until(() => ben.desk.others.some((one) => one.title === "Harbour"), SOON);
    const there = await ben.open(here.id);
    expect([there.role, there.title, texts(there)]).toEqual([null, "Harbour", ""]);
    await there.join();
    expect(there.role).toBe("member");
    await here.send("three");
    await says(there, "three");
    await there.send("four");
    await says(here, "one,two,three,four");

    const phone = await secondOf(ben);
    const small = await phone.open(here.id);
    await says(small, "three,four");
    await small.send("five");
    await says(here, "one,two,three,four,five");
    await says(there, "three,four,five");
    await here.send("six");
    for (const one of [there, small]) await says(one, "three,four,five,six");

    // Each time the page is gone with the line: the answer to a post is lost, the post itself, or everything.
    let page = here;
    for (const [words, lost] of [
      ["seven", "answer"],
      ["eight", "post"],
      ["nine", "all"],
    ] as const) {
      let gone = lost === "all";
      ada.line.cut = (path) => {
        if (gone) return "request";
        if (path !== "/v1/channels/post") return undefined;
        gone = true;
        return lost === "answer" ? "answer" : "request";
      };
      const sending = page.send(words).catch(() => undefined);
      const kept = () => [...ada.locker.values.keys()].some((name) => name.startsWith("unsent/"));
      if (lost === "all") await until(kept, SOON);
      else await sending.then(() => until(() => gone, SOON));
      await until(() => page.messages.at(-1)?.text === words, SOON);
      if (lost !== "answer") expect(page.messages.at(-1)!.state).toBe("sealed");
      await ada.messenger.core!.close(false);
      const back = new Person(ada.locker);
      for (const [name, value] of ada.line.cookies) back.line.cookies.set(name, value);
      await back.account.begin();
      ada = await back.ready();
      // What was left is posted first: only then is it the next message whose post the line loses.
      await until(() => ada.line.asked.includes("POST /v1/channels/post"), SOON);
      await until(() => texts(there).endsWith(`,${words}`), SOON);
      page = await ada.open(here.id);
    }
    await page.send("ten");
    await says(there, "three,four,five,six,seven,eight,nine,ten");
    await says(page, "one,two,three,four,five,six,seven,eight,nine,ten");
  },
  WHOLE,
);

test(
  "who met in a channel writes in private; a key that was lost is asked for; slow mode keeps what was said",
  async () => {
    const carl = await another(ada, "carl");
    const here = (await ada.desk.create({ title: "Reef", topic: "", public: true })) as ChannelView;
    await carl.desk.refresh();
    const there = await carl.open(here.id);
    await there.join();
    await here.send("one");
    await says(there, "one");
    await there.send("two");
    await says(here, "one,two");
    const chat = await carl.messenger.start(ada.messenger.me!.address);
    await chat.send("just between us");
    await until(() => ada.messenger.requests.length === 1, SOON);
    ada.messenger.open(ada.messenger.requests[0]!.id);
    await until(() => ada.messenger.requests[0]!.messages.at(-1)?.text === "just between us", SOON);

    // Carl's device forgets what it was given: it asks, and reads.
    const { vault, ledger } = carl.messenger.core!;
    const name = `channel/${here.id}/reading/${ada.identity}/${ada.messenger.me!.device}`;
    expect(vault.peek(name)).toBeDefined();
    await there.reader.readings.save();
    await ledger.run((batch) => batch.change(name, () => undefined));
    await here.send("three");
    await until(() => texts(there) === "one,two,waits", SOON);
    await says(there, "one,two,three");

    await here.setSlow(20);
    await until(() => there.slow === 20, SOON);
    await there.send("four");
    await until(() => there.messages.at(-1)!.state === "posted", SOON);
    // The entry may be read before its post is answered.
    await until(() => there.waitUntil > 0, SOON);
    await there.send("five");
    expect(there.messages.at(-1)).toMatchObject({ text: "five", state: "sealed" });
    await says(here, "one,two,three,four,five");
    await expect(there.setSlow(0)).rejects.toMatchObject({ code: "bad_roster" });

    await here.setTimer(3600);
    await here.send("soon gone");
    await until(() => there.messages.at(-1)?.text === "soon gone", SOON);
    const { expires, sent } = there.messages.at(-1)!;
    expect(expires! - sent).toBeLessThanOrEqual(3600);
    await here.close();
    await until(() => there.closed, SOON);
    await expect(there.send("too late")).rejects.toMatchObject({ code: "channel_closed" });
    await here.delete();
    await until(() => carl.desk.find(here.id) === undefined, SOON);
  },
  WHOLE,
);

test(
  "a program is in it, too",
  async () => {
    const here = (await ada.desk.create({ title: "Pier", topic: "", public: false })) as ChannelView;
    const dora = await Program.join(ada, "dora");
    await here.invite("dora", "moderator");
    await here.send("hello dora");
    await dora.says(here.id, "hello dora");
    await dora.run("channel", "send", here.id, "hello @ada");
    await says(here, "hello dora,hello @ada");
    expect(here.messages.at(-1)).toMatchObject({ name: "dora", mentionsMe: true });
    await here.edit(here.messages.find((one) => one.mine && one.kind === "text")!.id, "hello Dora");
    await dora.run("channel", "invite", here.id, "ben");
    await until(() => ben.desk.mine.some((one) => one.title === "Pier"), SOON);
    const there = await ben.open(here.id);
    await there.send("hello all");
    await dora.says(here.id, "hello Dora,hello @ada,hello all");
    await dora.run("channel", "remove", here.id, "ben");
    await dora.run("channel", "send", here.id, "ben is out");
    await says(here, "hello Dora,hello @ada,hello all,ben is out");
    await expect(there.send("no")).rejects.toMatchObject({ code: "not_member" });
    expect(here.members.map((one) => [one.name, one.role])).toEqual([
      ["ada", "owner"],
      ["dora", "moderator"],
    ]);
  },
  WHOLE,
);

test(
  "keys of what was taken away go; another roster than the one known is refused, and nothing is sent",
  async () => {
    const here = (await ada.desk.create({ title: "Cape", topic: "", public: true })) as ChannelView;
    await ben.desk.refresh();
    const there = await ben.open(here.id);
    await there.join();
    for (const words of ["one", "two", "three"]) await here.send(words);
    await says(there, "one,two,three");
    const name = `channel/${here.id}/reading/${ada.identity}/${ada.messenger.me!.device}`;
    const base = (person: Person): number => {
      const value = person.messenger.core!.vault.peek(name) as { chains: { base: { iteration: number } }[] };
      return value.chains[0]!.base.iteration;
    };
    expect([base(ada), base(ben)]).toEqual([0, 0]);
    await here.remove(here.messages.find((one) => one.text === "one")!.id);
    await says(there, "author,two,three");
    await until(() => base(ada) === 1 && base(ben) === 1, SOON);
    const later = await secondOf(ben);
    await says(await later.open(here.id), "author,two,three");

    const { ledger } = ben.messenger.core!;
    await ledger.run((batch) =>
      batch.change<ChannelRecord>(`channel/${here.id}`, (now) => {
        const state = { ...now!.state, number: (now!.state["number"] as number) + 2 };
        return { ...now!, state };
      }),
    );
    await expect(ben.desk.open(here.id)).rejects.toMatchObject({ code: "bad_roster" });
    expect(there.alarm).toBe(true);
    await expect(there.send("may I?")).rejects.toMatchObject({ code: "bad_roster" });
  },
  WHOLE,
);
