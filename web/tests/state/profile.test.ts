/** What people show of themselves, and who gets to see it. */
import { afterEach, expect, test } from "vitest";
import { zone } from "../../src/locales/zone.svelte.ts";
import { equal, toHex } from "../../src/protocol/bytes.ts";
import { names, type PersonRecord, type PictureRecord } from "../../src/state/messenger/records.ts";
import { random } from "../../src/state/random.ts";
import { hex, refusalOfPromise, vectors } from "../vectors.ts";
import { FakeBox } from "./fake/box.ts";
import { Browser, closeAll, friends, join, quiet, signIn, until } from "./fake/people.ts";

const [{ picture: TINY }, , { picture: OTHER }] = vectors<{ pictures: { picture: string }[] }>("picture")
  .pictures as [{ picture: string }, unknown, { picture: string }];

afterEach(closeAll);

/** The picture that a browser shows of somebody. */
function shown(at: Browser, of: Browser): string | undefined {
  return at.messenger.picture(of === at ? at.messenger.me!.identity : at.chat(of)!.id);
}

function urlOf(picture: string): string {
  return `data:image/jpeg;base64,${Buffer.from(picture, "hex").toString("base64")}`;
}

/** What the vault of a browser's account has of somebody's picture. */
async function pictureIn(at: Browser, id: string): Promise<Uint8Array | undefined> {
  const [value] = (await at.messenger.core!.vault.read([names.picture(id)])) as unknown as [
    PictureRecord | undefined,
  ];
  return value?.picture;
}

test("a chosen picture reaches a contact, is replaced, and is taken away again", async () => {
  const [ada, ben] = await friends(new FakeBox());
  expect(shown(ben, ada)).toBeUndefined();
  for (const picture of [TINY, OTHER]) {
    await ada.messenger.changeProfile({ picture: hex(picture) });
    await until(() => shown(ada, ada) === urlOf(picture));
    await until(() => shown(ben, ada) === urlOf(picture));
  }
  await ada.messenger.changeProfile({ picture: null });
  expect(shown(ada, ada)).toBeUndefined();
  await until(() => ben.chat(ada)!.picture === "");
  expect(shown(ben, ada)).toBeUndefined();
  expect(await pictureIn(ben, ben.chat(ada)!.id)).toBeUndefined();
  expect(await pictureIn(ada, ada.messenger.me!.identity)).toBeUndefined();
});

test("a name that is taken away is taken away at the others too", async () => {
  const [ada, ben] = await friends(new FakeBox());
  await ada.messenger.changeProfile({ display: "Ada" });
  await until(() => ben.chat(ada)!.display === "Ada");
  await ada.messenger.changeProfile({ display: "" });
  await until(() => ben.chat(ada)!.display === "");
});

test("the zone is told only when one wants that, and is one's own clock in any case", async () => {
  const [ada, ben] = await friends(new FakeBox());
  await ada.messenger.changeProfile({ zone: "Asia/Tokyo" });
  expect(zone.name).toBe("Asia/Tokyo");
  await ada.messenger.changeProfile({ display: "Ada" });
  await until(() => ben.chat(ada)!.display === "Ada");
  expect(ben.chat(ada)!.zone).toBe("");
  await ada.messenger.changeSettings({ zone: true });
  await until(() => ben.chat(ada)!.zone === "Asia/Tokyo");
  await ada.messenger.changeSettings({ zone: false });
  await until(() => ben.chat(ada)!.zone === "");
  await ada.account.signOut();
  expect(zone.name).toBeUndefined();
});

test("somebody who was not accepted sees nothing, and is shown as nothing but their address", async () => {
  const box = new FakeBox();
  const [ada, ben] = [await join(box, "ada"), await join(box, "ben")];
  const look = { picture: hex(TINY), display: "Ada", zone: "UTC" };
  for (const one of [ada, ben]) await one.messenger.changeProfile(look);
  const chat = await ada.messenger.start(ben.address);
  await chat.send("hello ben");
  await until(() => ben.messenger.requests.length === 1);
  const { ledger, outbound, dispatcher } = ada.messenger.core!;
  const targets = await outbound.targets(chat.id);
  const pushed = { v: 1, id: random(16), kind: "profile", sent: Math.floor(box.now), ...look } as const;
  await ledger.run(async (batch) => dispatcher.leave(batch, await outbound.sealFor(batch, pushed, targets)));
  await chat.send("hello again");
  await until(() => ben.messenger.requests[0]!.unread === 2);
  expect(ben.messenger.requests[0]).toMatchObject({ display: "", picture: "", zone: "" });
  expect(ada.chat(ben)).toMatchObject({ display: "", picture: "" });
  await ben.messenger.requests[0]!.accept();
  await until(() => shown(ben, ada) === urlOf(TINY));
  await until(() => shown(ada, ben) === urlOf(TINY));
});

test("another browser reads a contact's picture when it is first shown, not at the sign-in", async () => {
  const box = new FakeBox();
  const [ada, ben] = await friends(box);
  await ada.messenger.changeProfile({ picture: hex(TINY) });
  await until(() => shown(ben, ada) === urlOf(TINY));
  const again = await signIn(box, "ben");
  const name = names.picture(again.chat(ada)!.id);
  expect(again.messenger.core!.vault.has(name)).toBe(false);
  // It is asked for again where the first request is lost.
  let lost = 0;
  again.line.drop = (request) => request === "POST /v1/vault/read" && lost++ < 2;
  expect(shown(again, ada)).toBeUndefined();
  await until(() => lost > 2);
  await until(() => shown(again, ada) === urlOf(TINY));
});

test("what a new device changes is told by the one that contacts know", async () => {
  const box = new FakeBox();
  const [ada, ben] = await friends(box);
  const { url } = await ada.account.linkDevice();
  const phone = new Browser(box);
  await phone.account.signInByLink(url.slice(url.indexOf("#")), "Phone");
  await phone.ready();
  await phone.messenger.changeProfile({ picture: hex(TINY) });
  await until(() => shown(ada, ada) === urlOf(TINY));
  await until(() => shown(ben, ada) === urlOf(TINY));
});

test("a picture goes with a forgotten conversation, and with the export", async () => {
  const [ada, ben] = await friends(new FakeBox());
  await ada.messenger.changeProfile({ picture: hex(TINY) });
  await until(() => ben.chat(ada)!.picture !== "");
  const { id } = ben.chat(ada)!;
  expect(await ben.messenger.dump()).toMatchObject({ conversations: [{ picture: hex(TINY), zone: "" }] });
  expect(await ada.messenger.dump()).toMatchObject({ picture: hex(TINY) });
  await quiet(ada, ben);
  await ben.chat(ada)!.forget();
  expect(await pictureIn(ben, id)).toBeUndefined();
});

test("what is no picture is not kept", async () => {
  const [ada] = await friends(new FakeBox());
  const refused = ada.messenger.changeProfile({ picture: hex(`${TINY}00`) });
  expect(await refusalOfPromise(refused)).toBe("bad_message");
  expect(await refusalOfPromise(ada.messenger.changeProfile({ display: "a\u202eb" }))).toBe("bad_message");
  expect(ada.messenger.me!.picture).toBe("");
});

test("records of earlier versions know no pictures and zones", async () => {
  const [ada, ben] = await friends(new FakeBox());
  const { ledger, vault } = ben.messenger.core!;
  const name = names.person(ben.chat(ada)!.id);
  await ledger.run((batch) => {
    batch.change<PersonRecord>(name, (now) => {
      const { picture: _, zone: __, ...older } = now!;
      return older as PersonRecord;
    });
    batch.after.push(() => ben.chat(ada)!.refresh());
  });
  expect(Object.keys(vault.peek(name) as object)).not.toContain("picture");
  expect(ben.chat(ada)).toMatchObject({ picture: "", zone: "" });
  await ada.messenger.changeProfile({ picture: hex(TINY) });
  await until(() => shown(ben, ada) === urlOf(TINY));
  const { picture } = vault.peek(name) as unknown as PersonRecord;
  expect(equal(picture!, hex(ben.chat(ada)!.picture)) && toHex(picture!).length).toBe(16);
});
