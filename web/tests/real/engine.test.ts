/** The engines against a real box: ISLAND=../.venv/bin/island npx vitest run tests/real/engine.test.ts */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AccountDesk } from "../../src/state/account/account.svelte.ts";
import { MemoryLocker } from "../../src/state/locker.ts";
import { MessengerDesk } from "../../src/state/messenger/messenger.svelte.ts";
import { Wire } from "../../src/state/wire.ts";
import { PASSPHRASE, until } from "../state/fake/people.ts";
import { hex, vectors } from "../vectors.ts";
import { island, RealBox, RealLine } from "./box.ts";

const NO_TABS = { locks: undefined, channel: undefined };
const SOON = 120_000;
const WHOLE = 600_000;
let box: RealBox;

class Person {
  readonly line = new RealLine(box);
  readonly account = new AccountDesk(new Wire(this.line), new MemoryLocker());
  readonly messenger = new MessengerDesk(this.account, NO_TABS, { patience: 600, stock: 20 });

  get address(): string {
    return this.messenger.me!.address;
  }
  get texts(): string[] {
    const all = [...this.messenger.conversations, ...this.messenger.requests];
    return all.flatMap((chat) => chat.messages.filter((one) => one.kind === "text").map((one) => one.text));
  }
  async ready(): Promise<void> {
    await until(() => this.messenger.core?.upkeep.settled === true, SOON);
  }
}

beforeAll(async () => {
  box = await RealBox.start(process.env["ISLAND"]!);
}, WHOLE);
afterAll(() => box?.stop());

test(
  "people of one box: invited, talking, at a second device, and back by a code",
  async () => {
    const ada = new Person();
    expect((await ada.account.door()).claimed).toBe(false);
    await ada.account.signUp({ name: "ada", passphrase: PASSPHRASE, invite: box.token, label: "Laptop" });
    await ada.ready();
    expect(ada.account.role).toBe("owner");
    const invite = await ada.account.invite({ uses: 2 });
    const ben = new Person();
    expect((await ben.account.checkInvite(invite.code)).role).toBe("member");
    await ben.account.signUp({ name: "ben", passphrase: PASSPHRASE, invite: invite.code, label: "Tower" });
    await ben.ready();

    const chat = await ben.messenger.start(ada.address);
    await chat.send("thanks for the invite");
    await until(() => ada.messenger.requests.length === 1, SOON);
    await ada.messenger.requests[0]!.accept();
    const back = ada.messenger.conversations[0]!;
    ada.messenger.open(back.id);
    await until(() => ada.texts.length === 1, SOON);
    await back.send("welcome");
    await until(() => ben.texts.includes("welcome"), SOON);
    await until(() => back.messages.at(-1)?.state === "delivered", SOON);
    for (const one of [ada, ben]) await until(() => one.messenger.connection === "live", SOON);
    back.setTyping(true);
    await until(() => chat.typing, SOON);

    const link = await ada.account.linkDevice();
    const phone = new Person();
    await phone.account.signInByLink(link.url.slice(link.url.indexOf("#")), "Phone");
    await phone.ready();
    await until(() => phone.messenger.conversations.length === 1, SOON);
    phone.messenger.open(phone.messenger.conversations[0]!.id);
    await until(() => phone.texts.join() === "thanks for the invite,welcome", SOON);
    await phone.messenger.conversations[0]!.send("from the phone");
    await until(() => ada.texts.includes("from the phone") && ben.texts.includes("from the phone"), SOON);

    await showEachOther(ada, ben);

    const codes = await ada.account.newCodes("");
    await ada.account.signOut();
    await phone.account.signOut();
    const rescue = new Person();
    await rescue.account.signInByCode("ada", codes[5]!, "Rescue");
    await rescue.ready();
    await until(() => rescue.messenger.conversations.length === 1, SOON);
    rescue.messenger.open(rescue.messenger.conversations[0]!.id);
    await until(() => rescue.texts.length === 3, SOON);
    await rescue.account.changePassphrase("", "nine brown hens");
    await rescue.messenger.conversations[0]!.send("it is me");
    await until(() => ben.texts.includes("it is me"), SOON);
    expect((await rescue.account.sessions()).some((row) => row.current)).toBe(true);
    for (const one of [ben, rescue]) await one.account.signOut();
  },
  WHOLE,
);

/** Ada at a page, Ben at a page and at a command line of the same account: each reads what the other wrote. */
async function showEachOther(ada: Person, ben: Person): Promise<void> {
  const all = vectors<{ pictures: { picture: string }[] }>("picture").pictures;
  const [hers, his] = [hex(all[0]!.picture), hex(all[2]!.picture)];
  const [toBen, toAda] = [ada.messenger.conversations[0]!, ben.messenger.conversations[0]!];
  await ada.messenger.changeProfile({ picture: hers, display: "Ada", zone: "Europe/Berlin" });
  await ada.messenger.changeSettings({ zone: true });
  await until(() => ben.messenger.picture(toAda.id) === urlOf(hers), SOON);
  await until(() => toAda.zone === "Europe/Berlin", SOON);

  const [profile, passphrase] = [join(box.folder, "ben.profile"), join(box.folder, "ben.passphrase")];
  writeFileSync(passphrase, `${PASSPHRASE}\n`);
  const where = ["--profile", profile];
  await island("sign-in", "ben", "--box", box.url.origin, "--passphrase-file", passphrase, ...where);
  const seen = { display: "Ada", zone: "Europe/Berlin", picture: true };
  expect(await island("message", "list", ...where)).toMatchObject([seen]);
  const [saved, chosen] = [join(box.folder, "ada.jpg"), join(box.folder, "ben.jpg")];
  await island("message", "picture", "ada", saved, ...where);
  expect(new Uint8Array(readFileSync(saved))).toEqual(hers);
  writeFileSync(chosen, his);
  await island("profile", "--name", "Ben", "--picture", chosen, "--zone", "Asia/Tokyo", ...where);
  const { identity } = ben.messenger.me!;
  await until(() => ben.messenger.picture(identity) === urlOf(his), SOON);
  expect(ben.messenger.me).toMatchObject({ display: "Ben", zone: "Asia/Tokyo" });
  expect(ben.messenger.settings.zone).toBe(true);
  await until(() => ada.messenger.picture(toBen.id) === urlOf(his) && toBen.zone === "Asia/Tokyo", SOON);
  await island("sign-out", ...where);
}

function urlOf(picture: Uint8Array): string {
  return `data:image/jpeg;base64,${Buffer.from(picture).toString("base64")}`;
}
