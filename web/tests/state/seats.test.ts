import { afterEach, expect, test } from "vitest";
import { readEntry } from "../../src/protocol/prekeys.ts";
import { FakeBox } from "./fake/box.ts";
import { Browser, closeAll, friends, join, PASSPHRASE, signIn, until } from "./fake/people.ts";

afterEach(closeAll);

const devices = (box: FakeBox, name: string): number =>
  readEntry(box.accounts.get(name)!.entry!).devices.length;

test("a browser that forgot everything signs in again and has its conversations, also what came meanwhile", async () => {
  const box = new FakeBox();
  const [ada, ben] = await friends(box);
  await ada.crash();
  await ben.chat(ada)!.send("are you there");
  const again = await signIn(box, "ada");
  const chat = again.chat(ben)!;
  await chat.open();
  await until(() => again.texts(ben).join() === "hello ben,hello ada,are you there");
  expect(again.messenger.me!.device).toBe(ada.messenger.me!.device);
  expect(devices(box, "ada")).toBe(1);
  await chat.send("back again");
  await until(() => ben.texts(ada).includes("back again"));
});

test("nobody knocks where nobody listens", async () => {
  const box = new FakeBox();
  const [ada] = await friends(box);
  box.watched = 60;
  const beside = await signIn(box, "ada");
  expect(beside.messenger.me!.device).not.toBe(ada.messenger.me!.device);
  const left = beside.messenger.me!.device;
  box.hangUp(beside.line.session);
  await beside.crash();
  // The one who came beside her did knock, since she listens.
  await ada.messenger.core!.vault.pull();
  const knocks = ada.messenger.core!.vault.version("knock");
  const again = new Browser(box);
  await again.account.signIn("ada", PASSPHRASE, { label: "Other" });
  await again.ready();
  expect(again.messenger.me!.device).toBe(left);
  expect(devices(box, "ada")).toBe(2);
  await ada.messenger.core!.vault.pull();
  expect(ada.messenger.core!.vault.version("knock")).toBe(knocks);
});

test("what is written while the seat is still being taken leaves when there is one", async () => {
  const box = new FakeBox();
  const [ada, ben] = await friends(box);
  await ada.crash();
  const again = new Browser(box);
  await again.account.signIn("ada", PASSPHRASE, { label: "Other" });
  await until(() => again.messenger.conversations.length === 1);
  expect(again.messenger.phase).toBe("opening");
  const chat = again.messenger.conversations[0]!;
  chat.saveDraft("I am");
  const sent = chat.send("I am here already");
  chat.markRead();
  await sent;
  await until(() => ben.texts(ada).includes("I am here already"));
  expect(chat.draft).toBe("I am");
});

test("a second device comes by link, and both stay in step", async () => {
  const box = new FakeBox();
  const [ada, ben] = await friends(box);
  const { url } = await ada.account.linkDevice();
  const phone = new Browser(box);
  await phone.account.signInByLink(url.slice(url.indexOf("#")), "Phone");
  await phone.ready();
  expect(devices(box, "ada")).toBe(2);
  expect(phone.messenger.me!.device).not.toBe(ada.messenger.me!.device);
  await phone.chat(ben)!.open();
  await until(() => phone.texts(ben).join() === "hello ben,hello ada");
  await phone.chat(ben)!.send("from my phone");
  await until(() => ben.texts(ada).includes("from my phone"));
  await until(() => ada.texts(ben).includes("from my phone"));
  await until(() => ben.messenger.core!.people.person(ben.chat(ada)!.id)!.entry.length > 0);
  await ben.messenger.core!.people.refresh(ben.chat(ada)!.id);
  await ben.chat(ada)!.send("to both");
  for (const one of [ada, phone]) {
    await until(() => one.texts(ben).at(-1) === "to both");
    expect(one.texts(ben).filter((text) => text === "to both")).toHaveLength(1);
  }
  // Words read from the other device's log may be here before the record that counts them.
  await until(() => phone.chat(ben)!.unread > 0);
  phone.chat(ben)!.markRead();
  await until(() => ada.chat(ben)!.unread === 0);
  await until(() => ben.chat(ada)!.messages.at(-1)!.state === "read");
});

test("with both devices lost one backup code opens the archive", async () => {
  const box = new FakeBox();
  const [ada, ben] = await friends(box);
  const codes = await ada.account.newCodes("");
  expect(codes).toHaveLength(8);
  await ada.crash();
  const rescue = new Browser(box);
  await rescue.account.signInByCode("ada", codes[3]!.toLowerCase().replaceAll("-", " "), "Rescue");
  await rescue.ready();
  expect(rescue.account.byCode).toBe(true);
  await rescue.chat(ben)!.open();
  await until(() => rescue.texts(ben).join() === "hello ben,hello ada");
  await rescue.account.changePassphrase("", "nine brown hens");
  const next = new Browser(box);
  await expect(next.account.signIn("ada", PASSPHRASE)).rejects.toMatchObject({ code: "wrong_sign_in" });
  await next.account.signIn("ada", "nine brown hens");
  expect(next.account.standing).toBe("in");
  await expect(rescue.account.signInByCode("ada", "no code", "x")).rejects.toMatchObject({
    code: "mistyped",
  });
});

test("a backup code whose answer was lost is no lost code, and a second factor asks no second confirmation", async () => {
  const box = new FakeBox();
  const [ada, ben] = await friends(box);
  const codes = await ada.account.newCodes("");
  await ada.account.beginTotp(PASSPHRASE);
  let lost = 0;
  ada.line.lose = (request) => request === "POST /v1/account/totp/confirm" && lost++ < 2;
  await ada.account.confirmTotp("123456");
  expect([ada.account.totp, box.accounts.get("ada")!.totp]).toEqual([true, "123456"]);
  await ada.crash();
  const rescue = new Browser(box);
  const isCode = (request: string): boolean => request === "POST /v1/session/code";
  rescue.line.lose = isCode;
  const enter = (): Promise<void> => rescue.account.signInByCode("ada", codes[3]!, "Rescue");
  await expect(enter()).rejects.toMatchObject({ code: "offline" });
  expect(rescue.line.asked.filter(isCode)).toHaveLength(3);
  // Pressed again once the line is back: it is the same attempt still.
  rescue.line.lose = () => false;
  await enter();
  await rescue.ready();
  await rescue.chat(ben)!.open();
  await until(() => rescue.texts(ben).length === 2);
  const other = new Browser(box);
  await expect(other.account.signInByCode("ada", codes[3]!, "Other")).rejects.toMatchObject({
    code: "wrong_sign_in",
  });
});

test("a vault that was set back makes a new device, and no chain is used again", async () => {
  const box = new FakeBox();
  const [ada, ben] = await friends(box);
  const before = ada.messenger.me!.device;
  const setBack = box.copyVault("ada");
  await ada.chat(ben)!.send("after the copy");
  await until(() => ada.chat(ben)!.messages.at(-1)?.state === "delivered");
  setBack();
  const again = await ada.reopened();
  expect(again.messenger.me!.device).not.toBe(before);
  await again.chat(ben)!.open();
  await again.chat(ben)!.send("still me");
  await until(() => ben.texts(ada).includes("still me"));
  await ben.chat(ada)!.send("good");
  await until(() => again.texts(ben).includes("good"));
});

test("a restored box makes a new device", async () => {
  const box = new FakeBox();
  const [ada, ben] = await friends(box);
  const before = ada.messenger.me!.device;
  box.epoch = crypto.getRandomValues(new Uint8Array(16));
  const again = await ada.reopened();
  expect(again.messenger.me!.device).not.toBe(before);
  expect(devices(box, "ada")).toBe(1);
  await again.chat(ben)!.send("from the new one");
  await until(() => ben.texts(ada).includes("from the new one"));
});

test("a vault set back under a running page is noticed before anything leaves", async () => {
  const box = new FakeBox();
  const [ada, ben] = await friends(box);
  const before = ada.messenger.me!.device;
  const setBack = box.copyVault("ada");
  await ada.chat(ben)!.send("one");
  await until(() => ada.chat(ben)!.messages.at(-1)?.state === "delivered");
  setBack();
  await ada
    .chat(ben)!
    .send("two")
    .catch(() => undefined);
  await until(() => ada.messenger.phase === "ready" && ada.messenger.me!.device !== before);
});

test("a browser whose seat was taken becomes a device of its own", async () => {
  const box = new FakeBox();
  const [ada, ben] = await friends(box);
  ada.line.cut();
  const other = await signIn(box, "ada");
  expect(other.messenger.me!.device).toBe(ada.messenger.me!.device);
  ada.line.down = false;
  await until(
    () => ada.messenger.phase === "ready" && ada.messenger.me!.device !== other.messenger.me!.device,
  );
  expect(devices(box, "ada")).toBe(2);
  await ada.chat(ben)!.open();
  await ada.chat(ben)!.send("from the old browser");
  await until(() => ben.texts(ada).includes("from the old browser"));
});

test("a living browser answers a knock: the other one gets a seat of its own", async () => {
  const box = new FakeBox();
  const ada = await join(box, "ada");
  const other = await signIn(box, "ada");
  expect(other.messenger.me!.device).not.toBe(ada.messenger.me!.device);
  expect(devices(box, "ada")).toBe(2);
});

test("a sign-in that grew stale is renewed once", async () => {
  const box = new FakeBox();
  const [ada, ben] = await friends(box);
  ada.line.asked.length = 0;
  ada.line.stale = true;
  box.hangUp(ada.line.session);
  await ada.chat(ben)!.send("still signed in");
  await until(() => ben.texts(ada).includes("still signed in"));
  expect(ada.line.asked.filter((request) => request === "POST /v1/session/refresh")).toHaveLength(1);
});

test("a second factor is asked for without stretching the passphrase again", async () => {
  const box = new FakeBox();
  await join(box, "ada");
  box.accounts.get("ada")!.totp = "123456";
  const other = new Browser(box);
  await expect(other.account.signIn("ada", PASSPHRASE)).rejects.toMatchObject({ code: "second_factor" });
  other.line.asked.length = 0;
  await other.account.signIn("ada", PASSPHRASE, { totp: "123456" });
  expect(other.line.asked).not.toContain("POST /v1/session/parameters");
});

test("a device that is taken out is signed out and stays out", async () => {
  const box = new FakeBox();
  const [ada, ben] = await friends(box);
  const { url } = await ada.account.linkDevice();
  const phone = new Browser(box);
  await phone.account.signInByLink(url.slice(url.indexOf("#")), "Old phone");
  await phone.ready();
  await until(() => ada.messenger.me!.devices.some((one) => one.label === "Old phone"));
  await expect(ada.messenger.removeDevice(ada.messenger.me!.device)).rejects.toMatchObject({
    code: "wrong_state",
  });
  await ada.messenger.removeDevice(phone.messenger.me!.device);
  await until(() => phone.account.standing === "out");
  await until(() => phone.messenger.phase === "closed");
  expect(devices(box, "ada")).toBe(1);
  await ada.chat(ben)!.send("only from here");
  await until(() => ben.texts(ada).includes("only from here"));
});

test("a device that is taken out while it opens its line is signed out, too", async () => {
  const box = new FakeBox();
  const [ada] = await friends(box);
  const { url } = await ada.account.linkDevice();
  const phone = new Browser(box);
  const { fetch } = phone.line;
  let removed = false;
  phone.line.fetch = async (path, init) => {
    const answer = await fetch(path, init);
    if (path === "/v1/events/ticket") await until(() => removed);
    return answer;
  };
  await phone.account.signInByLink(url.slice(url.indexOf("#")), "Old phone");
  await phone.ready();
  await ada.messenger.removeDevice(phone.messenger.me!.device);
  removed = true;
  await until(() => phone.account.standing === "out");
});

test("codes and passphrases whose answers are lost are the ones that hold", async () => {
  const box = new FakeBox();
  const ada = await join(box, "ada");
  let left = 1;
  ada.line.lose = (request) => request.startsWith("POST /v1/account/") && left-- > 0;
  const codes = await ada.account.newCodes("");
  const rescue = new Browser(box);
  await rescue.account.signInByCode("ada", codes[0]!, "Rescue");
  left = 1;
  await ada.account.changePassphrase(PASSPHRASE, "nine brown hens");
  const again = new Browser(box);
  await again.account.signIn("ada", "nine brown hens", { label: "Again" });
});
